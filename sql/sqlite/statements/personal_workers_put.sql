UPDATE personal_alerts SET workers = :workers
WHERE account_id = (SELECT id FROM accounts WHERE address = :address) AND user_id = :user_id
