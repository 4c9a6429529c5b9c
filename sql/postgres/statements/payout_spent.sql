SELECT coalesce(sum(i.amount) FILTER (WHERE p.created_at >= $1), 0)::numeric(39,0), coalesce(sum(i.amount), 0)::numeric(39,0)
FROM payouts AS p JOIN payout_items AS i ON i.payout_id = p.id
WHERE p.created_at >= $2 AND p.state <> 'returned'
