-- Corrections whose posting is missing, or moves another amount to the account.
SELECT j.id
FROM adjustments AS j
LEFT JOIN ledger_transactions AS t ON t.reference = 'adjustment:' || j.id AND t.kind = 'adjustment'
LEFT JOIN ledger_entries AS e ON e.transaction_id = t.id AND e.account_id = j.account_id AND e.kind = 'miner_confirmed'
WHERE j.amount IS DISTINCT FROM e.amount
