-- How many of the staged there are; the others are inserted.
UPDATE balances AS b SET amount = b.amount + s.amount FROM stage_balances AS s
WHERE b.account_id = s.account_id AND b.kind = s.kind
