UPDATE users SET mfa_enabled = 0, mfa_sealed = NULL, mfa_step = NULL, updated_at = max(updated_at, :at) WHERE id = :id
