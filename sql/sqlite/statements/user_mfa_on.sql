UPDATE users SET mfa_enabled = 1, updated_at = max(updated_at, :at) WHERE id = :id AND mfa_sealed IS NOT NULL
