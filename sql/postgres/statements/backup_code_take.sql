UPDATE backup_codes SET used_at = $3 WHERE user_id = $1::text::uuid AND digest = $2 AND used_at IS NULL RETURNING user_id::text
