INSERT INTO users (id, username, email, role, password_hash, created_at, updated_at)
VALUES ($1::text::uuid, $2, $3, $4, $5, $6, $6)
ON CONFLICT DO NOTHING RETURNING id::text
