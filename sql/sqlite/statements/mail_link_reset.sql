-- Whoever reads the user's mail has confirmed the address as well, unless it is confirmed to be another's.
UPDATE users SET password_hash = :password_hash, updated_at = max(updated_at, :at),
  email_verified_at = CASE
    WHEN email_verified_at IS NULL AND EXISTS (
      SELECT 1 FROM users AS o WHERE o.id <> users.id AND lower(o.email) = lower(users.email) AND o.email_verified_at IS NOT NULL) THEN NULL
    ELSE coalesce(email_verified_at, :at) END
WHERE id = (SELECT user_id FROM mail_links WHERE digest = :digest)
