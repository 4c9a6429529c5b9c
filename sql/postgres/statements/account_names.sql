SELECT id, address FROM accounts WHERE id = ANY ($1)
