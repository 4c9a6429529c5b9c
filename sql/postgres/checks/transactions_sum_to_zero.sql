-- Transactions whose entries do not sum to zero, or which have fewer than two.
SELECT t.id
FROM ledger_transactions AS t LEFT JOIN ledger_entries AS e ON e.transaction_id = t.id
GROUP BY t.id
HAVING count(e.kind) < 2 OR sum(e.amount) <> 0
