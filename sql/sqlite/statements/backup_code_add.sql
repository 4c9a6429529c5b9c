INSERT INTO backup_codes (user_id, digest) VALUES (:id, :digest)
