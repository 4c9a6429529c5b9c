SELECT id, user_id::text, name, digest, scopes, created_at, expires_at, revoked_at
FROM api_tokens WHERE user_id = $1::text::uuid ORDER BY created_at DESC, id LIMIT 500
