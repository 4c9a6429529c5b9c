-- Newest first, past a number.
SELECT j.id, j.reference, a.address, j.amount_hi, j.amount_mid, j.amount_lo, j.author, j.reason, j.below_zero, j.at
FROM adjustments AS j JOIN accounts AS a ON a.id = j.account_id WHERE j.id < :before ORDER BY j.id DESC LIMIT :limit
