SELECT address, user_id, claimed_by, claimed_at FROM accounts WHERE user_id = :user_id ORDER BY address LIMIT 500
