INSERT INTO pool_balances AS known (kind, amount)
SELECT s.kind, s.amount FROM unnest($1::text[], $2::numeric[]) AS s (kind, amount)
ON CONFLICT (kind) DO UPDATE SET amount = known.amount + excluded.amount
