UPDATE personal_told SET payout = :payout WHERE id = 1 AND payout < :payout
