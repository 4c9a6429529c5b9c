INSERT INTO adjustments (reference, account_id, amount_hi, amount_mid, amount_lo, author, reason, below_zero, at)
VALUES (:reference, :account_id, :amount_hi, :amount_mid, :amount_lo, :author, :reason, :below_zero, :at)
RETURNING id
