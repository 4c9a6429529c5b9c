-- Corrections whose posting is missing, or moves another amount to the account.
SELECT j.id
FROM adjustments AS j
LEFT JOIN ledger_transactions AS t ON t.reference = 'adjustment:' || j.id AND t.kind = 'adjustment'
LEFT JOIN ledger_entries AS e ON e.transaction_id = t.id AND e.account_id = j.account_id AND e.kind = 'miner_confirmed'
WHERE (j.amount_hi, j.amount_mid, j.amount_lo) IS NOT (e.amount_hi, e.amount_mid, e.amount_lo)
