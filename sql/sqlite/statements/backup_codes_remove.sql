DELETE FROM backup_codes WHERE user_id = :id
