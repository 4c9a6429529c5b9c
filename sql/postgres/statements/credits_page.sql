-- An account's credits, newest first, past a transaction; with each, what became of it ('...:pending' ends as '...:end').
-- Its own row says between which transactions they are: what its neighbours were credited before and after is not walked through.
WITH holder AS (
  SELECT a.id, b.first_credit, b.last_credit
  FROM accounts AS a LEFT JOIN account_balances AS b ON b.account_id = a.id WHERE a.address = $1
)
SELECT t.id, t.reference, t.block, t.at, e.amount, f.kind, f.at, b.height, b.status, b.color
FROM (
  (SELECT r.transaction_id, r.amount FROM ledger_rows AS r
   WHERE r.account_id = (SELECT id FROM holder) AND r.transaction_id < $2 AND r.kind = 'miner_pending' AND r.amount > 0
   ORDER BY r.transaction_id DESC LIMIT $3)
  UNION ALL
  (SELECT l.transaction_id, of_it.amount
   FROM ledger_lines AS l
   CROSS JOIN LATERAL (SELECT l.amounts[array_position(l.account_ids, (SELECT id FROM holder))] AS amount) AS of_it
   WHERE l.part = (SELECT id >> 6 FROM holder) AND l.kind = 'miner_pending' AND l.transaction_id < $2
     AND l.transaction_id >= (SELECT first_credit FROM holder) AND l.transaction_id <= (SELECT last_credit FROM holder)
     AND of_it.amount > 0
   ORDER BY l.transaction_id DESC LIMIT $3)
) AS e
JOIN ledger_transactions AS t ON t.id = e.transaction_id
JOIN blocks AS b ON b.hash = t.block
LEFT JOIN ledger_transactions AS f ON f.reference = left(t.reference, -7) || 'end'
WHERE t.kind = 'credit_pending'
ORDER BY e.transaction_id DESC LIMIT $3
