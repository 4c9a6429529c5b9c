SELECT id, user_id::text, name, digest, scopes, created_at, expires_at, revoked_at
FROM api_tokens WHERE id = $1
