INSERT INTO api_tokens (id, user_id, name, digest, scopes, created_at, expires_at)
VALUES ($1, $2::text::uuid, $3, $4, $5, $6, $7)
