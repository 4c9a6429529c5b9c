SELECT id, address FROM accounts ORDER BY id
