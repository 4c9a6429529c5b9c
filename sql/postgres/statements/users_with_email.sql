SELECT id::text, username, email, role, password_hash, mfa_sealed, mfa_enabled, disabled_at, created_at, updated_at, email_verified_at
FROM users WHERE lower(email) = lower($1::text)
ORDER BY email_verified_at IS NULL, created_at DESC, id LIMIT $2
