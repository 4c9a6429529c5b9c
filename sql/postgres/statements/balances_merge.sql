INSERT INTO balances AS b (kind, account_id, amount)
SELECT kind, account_id, amount FROM stage_balances ORDER BY account_id, kind
ON CONFLICT (account_id, kind) DO UPDATE SET amount = b.amount + excluded.amount
