SELECT id, address FROM accounts WHERE address = ANY ($1)
