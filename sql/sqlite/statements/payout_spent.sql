SELECT coalesce(sum(i.amount_hi), 0), coalesce(sum(i.amount_mid), 0), coalesce(sum(i.amount_lo), 0)
FROM payouts AS p JOIN payout_items AS i ON i.payout_id = p.id
WHERE p.created_at >= :from AND p.state <> 'returned'
