SELECT token, hold FROM payout_control WHERE id = 1
