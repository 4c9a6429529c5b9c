INSERT INTO mail_links (digest, user_id, purpose, email, created_at, expires_at)
VALUES (:digest, :user_id, :purpose, :email, :at, :expires_at)
