UPDATE users SET password_hash = $2, updated_at = greatest(updated_at, $3) WHERE id = $1::text::uuid RETURNING id::text
