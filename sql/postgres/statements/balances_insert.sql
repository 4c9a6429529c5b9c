INSERT INTO balances (kind, account_id, amount)
SELECT s.kind, s.account_id, s.amount FROM stage_balances AS s
WHERE NOT EXISTS (SELECT 1 FROM balances AS b WHERE b.account_id = s.account_id AND b.kind = s.kind)
