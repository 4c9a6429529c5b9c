SELECT id::text, username, email, role, password_hash, mfa_sealed, mfa_enabled, disabled_at, created_at, updated_at, email_verified_at
FROM users WHERE id = $1::text::uuid
