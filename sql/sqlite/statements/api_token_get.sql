SELECT id, user_id, name, digest, scopes, created_at, expires_at, revoked_at
FROM api_tokens WHERE id = :id
