SELECT count(*) FROM backup_codes WHERE user_id = :id AND used_at IS NULL
