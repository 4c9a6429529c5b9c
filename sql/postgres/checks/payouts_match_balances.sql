-- Accounts whose reserved or paid balance is not the sum of their payouts under way, or settled.
WITH due AS (
  SELECT i.account_id, CASE p.state WHEN 'settled' THEN 'payouts_sent' ELSE 'miner_reserved' END AS kind, sum(i.amount) AS amount
  FROM payout_items AS i JOIN payouts AS p ON p.id = i.payout_id
  WHERE p.state <> 'returned' GROUP BY 1, 2
), booked AS (
  SELECT account_id, kind, amount FROM balances WHERE kind IN ('miner_reserved', 'payouts_sent') AND amount <> 0
)
SELECT coalesce(d.account_id, b.account_id) AS account_id, coalesce(d.kind, b.kind) AS kind
FROM due AS d FULL JOIN booked AS b ON b.account_id = d.account_id AND b.kind = d.kind
WHERE d.amount IS DISTINCT FROM b.amount
