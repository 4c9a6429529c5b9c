SELECT count(*) FROM backup_codes WHERE user_id = $1::text::uuid AND used_at IS NULL
