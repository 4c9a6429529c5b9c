-- The ledger transactions that are about no block (that there is) with their lines, in order.
SELECT t.id, t.reference, t.kind, t.block, t.at, e.kind, e.account_id, e.amount
FROM ledger_transactions AS t LEFT JOIN ledger_entries AS e ON e.transaction_id = t.id
WHERE t.block IS NULL OR NOT EXISTS (SELECT 1 FROM blocks AS b WHERE b.hash = t.block)
ORDER BY t.id, e.line
