INSERT INTO adjustments (reference, account_id, amount, author, reason, below_zero, at)
VALUES ($1, $2, $3, $4, $5, $6, $7)
RETURNING id
