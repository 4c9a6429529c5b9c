UPDATE payout_control SET hold = $1 WHERE id = 1
