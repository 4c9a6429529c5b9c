SELECT u.id, u.username, u.email, u.role, u.password_hash, u.mfa_sealed, u.mfa_enabled, u.disabled_at, u.created_at, u.updated_at,
       u.email_verified_at
FROM mail_links AS l JOIN users AS u ON u.id = l.user_id
WHERE l.digest = :digest AND l.purpose = :purpose AND l.used_at IS NULL AND l.expires_at > :at AND u.disabled_at IS NULL
