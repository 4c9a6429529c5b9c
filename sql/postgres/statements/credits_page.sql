-- An account's credits, newest first, past a transaction; with each, what became of it ('...:pending' ends as '...:end').
SELECT t.id, t.reference, t.block, t.at, e.amount, f.kind, f.at, b.height, b.status, b.color
FROM ledger_entries AS e
JOIN ledger_transactions AS t ON t.id = e.transaction_id
JOIN blocks AS b ON b.hash = t.block
LEFT JOIN ledger_transactions AS f ON f.reference = left(t.reference, -7) || 'end'
WHERE e.account_id = (SELECT id FROM accounts WHERE address = $1) AND e.transaction_id < $2
  AND e.kind = 'miner_pending' AND e.amount > 0 AND t.kind = 'credit_pending'
ORDER BY e.transaction_id DESC LIMIT $3
