UPDATE backup_codes SET used_at = :at WHERE user_id = :id AND digest = :digest AND used_at IS NULL
