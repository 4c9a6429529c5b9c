SELECT h.id, h.payout_id, a.address, t.txid, i.amount_hi, i.amount_mid, i.amount_lo
FROM payout_history AS h JOIN payout_items AS i ON i.payout_id = h.payout_id
JOIN personal_alerts AS p ON p.account_id = i.account_id AND p.created_at <= h.at
JOIN accounts AS a ON a.id = i.account_id AND a.user_id = p.user_id
JOIN payout_transactions AS t ON t.payout_id = h.payout_id
WHERE h.id > :after AND h.state = 'broadcast' AND NOT EXISTS (
  SELECT 1 FROM payout_history AS e WHERE e.payout_id = h.payout_id AND e.state = 'broadcast' AND e.id < h.id)
ORDER BY h.id LIMIT 10000
