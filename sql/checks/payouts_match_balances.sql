-- Accounts whose reserved or paid balance is not the sum of their payouts under way, or settled.
WITH summed AS (
  SELECT i.account_id, CASE p.state WHEN 'settled' THEN 'payouts_sent' ELSE 'miner_reserved' END AS kind,
         sum(i.amount_hi) AS hi, sum(i.amount_mid) AS mid, sum(i.amount_lo) AS lo
  FROM payout_items AS i JOIN payouts AS p ON p.id = i.payout_id
  WHERE p.state <> 'returned' GROUP BY 1, 2
), due AS (
  SELECT account_id, kind,
         hi + (mid + lo / 10000000000) / 10000000000 AS hi,
         (mid + lo / 10000000000) % 10000000000      AS mid,
         lo % 10000000000                            AS lo
  FROM summed
), booked AS (
  SELECT account_id, kind, amount_hi AS hi, amount_mid AS mid, amount_lo AS lo FROM balances
  WHERE kind IN ('miner_reserved', 'payouts_sent') AND (amount_hi, amount_mid, amount_lo) <> (0, 0, 0)
)
SELECT coalesce(d.account_id, b.account_id) AS account_id, coalesce(d.kind, b.kind) AS kind
FROM due AS d FULL JOIN booked AS b ON b.account_id = d.account_id AND b.kind = d.kind
WHERE (d.hi, d.mid, d.lo) IS NOT (b.hi, b.mid, b.lo)
