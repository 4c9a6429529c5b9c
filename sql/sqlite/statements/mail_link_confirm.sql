UPDATE users SET email = (SELECT email FROM mail_links WHERE digest = :digest), email_verified_at = :at, updated_at = max(updated_at, :at)
WHERE id = (SELECT user_id FROM mail_links WHERE digest = :digest)
