UPDATE users SET email = :email, email_verified_at = NULL, updated_at = max(updated_at, :at) WHERE id = :id
