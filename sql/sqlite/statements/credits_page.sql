-- An account's credits, newest first, past a transaction; with each, what became of it ('...:pending' ends as '...:end').
SELECT t.id, t.reference, t.block, t.at, e.amount_hi, e.amount_mid, e.amount_lo, f.kind, f.at, b.height, b.status, b.color
FROM ledger_entries AS e
JOIN ledger_transactions AS t ON t.id = e.transaction_id
JOIN blocks AS b ON b.hash = t.block
LEFT JOIN ledger_transactions AS f ON f.reference = substr(t.reference, 1, length(t.reference) - 7) || 'end'
WHERE e.account_id = (SELECT id FROM accounts WHERE address = :account) AND e.transaction_id < :before
  AND e.kind = 'miner_pending' AND e.amount_hi >= 0 AND t.kind = 'credit_pending'
ORDER BY e.transaction_id DESC LIMIT :limit
