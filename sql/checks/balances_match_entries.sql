-- Cached balances that differ from the sum of their entries, and sums without a cached balance.
WITH summed AS (
  SELECT account_id, book, sum(amount_hi) AS hi, sum(amount_mid) AS mid, sum(amount_lo) AS lo
  FROM ledger_entries GROUP BY account_id, book
), carried AS (
  SELECT account_id, book,
         hi + (mid + lo / 10000000000) / 10000000000 AS hi,
         (mid + lo / 10000000000) % 10000000000      AS mid,
         lo % 10000000000                            AS lo
  FROM summed
)
SELECT coalesce(c.account_id, b.account_id) AS account_id, coalesce(c.book, b.book) AS book
FROM carried AS c FULL JOIN balances AS b ON b.account_id = c.account_id AND b.book = c.book
WHERE (c.hi, c.mid, c.lo) IS NOT (b.amount_hi, b.amount_mid, b.amount_lo)
