SELECT address, user_id::text, claimed_by, claimed_at FROM accounts WHERE user_id = $1::text::uuid ORDER BY address LIMIT 500
