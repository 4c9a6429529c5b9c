UPDATE personal_alerts SET workers = $3::text::json
WHERE account_id = (SELECT id FROM accounts WHERE address = $1) AND user_id = $2::text::uuid RETURNING account_id
