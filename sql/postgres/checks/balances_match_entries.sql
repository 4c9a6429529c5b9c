-- Cached balances that differ from the sum of their entries, and sums without a cached balance.
WITH summed AS (SELECT account_id, kind, sum(amount) AS amount FROM ledger_entries GROUP BY account_id, kind)
SELECT coalesce(s.account_id, b.account_id) AS account_id, coalesce(s.kind, b.kind) AS kind
FROM summed AS s FULL JOIN balances AS b ON b.account_id = s.account_id AND b.kind = s.kind
WHERE s.amount IS DISTINCT FROM b.amount
