SELECT u.id::text, u.username, u.email, u.role, u.password_hash, u.mfa_sealed, u.mfa_enabled, u.disabled_at, u.created_at, u.updated_at,
       u.email_verified_at
FROM mail_links AS l JOIN users AS u ON u.id = l.user_id
WHERE l.digest = $1 AND l.purpose = $2::text AND l.used_at IS NULL AND l.expires_at > $3 AND u.disabled_at IS NULL
