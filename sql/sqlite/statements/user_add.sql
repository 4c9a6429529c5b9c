INSERT INTO users (id, username, email, role, password_hash, created_at, updated_at)
VALUES (:id, :username, :email, :role, :password_hash, :at, :at)
ON CONFLICT DO NOTHING
