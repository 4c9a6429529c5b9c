SELECT token FROM payout_control WHERE id = 1 FOR UPDATE
