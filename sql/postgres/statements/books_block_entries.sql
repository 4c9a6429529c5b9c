-- The ledger transactions of a block with their lines.
SELECT t.id, t.reference, t.kind, t.block, t.at, e.kind, e.account_id, e.amount
FROM ledger_transactions AS t LEFT JOIN LATERAL (
  SELECT r.kind, r.account_id, r.amount FROM ledger_rows AS r WHERE r.transaction_id = t.id
  UNION ALL
  SELECT l.kind, u.account_id, u.amount
  FROM ledger_lines AS l CROSS JOIN LATERAL unnest(l.account_ids, l.amounts) AS u (account_id, amount) WHERE l.transaction_id = t.id
) AS e ON true
WHERE t.block = $1 ORDER BY t.id, e.kind, e.account_id
