-- A pool of an earlier version does not know the lock, and may have inserted what is not to be seen yet.
INSERT INTO balances AS known (kind, account_id, amount)
SELECT s.kind, s.account_id, s.amount FROM stage_balances AS s
WHERE NOT EXISTS (SELECT 1 FROM balances AS b WHERE b.account_id = s.account_id AND b.kind = s.kind)
ON CONFLICT (account_id, kind) DO UPDATE SET amount = known.amount + excluded.amount
