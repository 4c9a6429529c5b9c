-- Cached balances that differ from the sum of their entries, and sums without a cached balance.
WITH summed AS (
  SELECT account_id, kind, sum(amount_hi) AS hi, sum(amount_mid) AS mid, sum(amount_lo) AS lo
  FROM ledger_entries GROUP BY account_id, kind
), carried AS (
  SELECT account_id, kind,
         hi + (mid + lo / 10000000000) / 10000000000 AS hi,
         (mid + lo / 10000000000) % 10000000000      AS mid,
         lo % 10000000000                            AS lo
  FROM summed
)
SELECT coalesce(c.account_id, b.account_id) AS account_id, coalesce(c.kind, b.kind) AS kind
FROM carried AS c FULL JOIN balances AS b ON b.account_id = c.account_id AND b.kind = c.kind
WHERE (c.hi, c.mid, c.lo) IS NOT (b.amount_hi, b.amount_mid, b.amount_lo)
