-- What each took that was not returned. $2 = NULL: by time alone.
SELECT p.id, p.created_at, sum(i.amount)::numeric(39,0)
FROM payouts AS p JOIN payout_items AS i ON i.payout_id = p.id
WHERE (p.created_at >= $1 OR p.id >= $2) AND p.state <> 'returned'
GROUP BY p.id ORDER BY p.id
