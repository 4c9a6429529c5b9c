SELECT address FROM accounts WHERE id = :id
