-- What each took that was not returned. :first = NULL: by time alone.
SELECT p.id, p.created_at, sum(i.amount_hi), sum(i.amount_mid), sum(i.amount_lo)
FROM payouts AS p JOIN payout_items AS i ON i.payout_id = p.id
WHERE (p.created_at >= :from OR p.id >= :first) AND p.state <> 'returned'
GROUP BY p.id ORDER BY p.id
