SELECT id FROM accounts WHERE address = :address
