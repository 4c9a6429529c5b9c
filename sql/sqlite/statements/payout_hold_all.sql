UPDATE payout_control SET hold = :reason WHERE id = 1
