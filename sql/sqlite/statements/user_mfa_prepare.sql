-- A key that is not in force until a code of it was seen. One that is in force is not replaced.
UPDATE users SET mfa_sealed = :mfa_sealed, mfa_step = NULL, updated_at = max(updated_at, :at)
WHERE id = :id AND mfa_enabled = 0
