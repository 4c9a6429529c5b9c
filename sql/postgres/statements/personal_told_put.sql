UPDATE personal_told SET payout = $1 WHERE id = 1 AND payout < $1 RETURNING id
