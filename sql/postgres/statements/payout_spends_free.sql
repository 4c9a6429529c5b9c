UPDATE payout_spends SET live = false WHERE payout_id = $1
