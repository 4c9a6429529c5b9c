UPDATE users SET password_hash = :password_hash, updated_at = max(updated_at, :at) WHERE id = :id
