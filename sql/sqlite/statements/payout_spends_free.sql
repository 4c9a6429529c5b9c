UPDATE payout_spends SET live = 0 WHERE payout_id = :id
