-- The ledger transactions of a block with their lines, in order.
SELECT t.id, t.reference, t.kind, t.block, t.at, e.kind, e.account_id, e.amount_hi, e.amount_mid, e.amount_lo
FROM ledger_transactions AS t LEFT JOIN ledger_entries AS e ON e.transaction_id = t.id
WHERE t.block = :block ORDER BY t.id, e.line
