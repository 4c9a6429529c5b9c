INSERT INTO api_tokens (id, user_id, name, digest, scopes, created_at, expires_at)
VALUES (:id, :user_id, :name, :digest, :scopes, :created_at, :expires_at)
