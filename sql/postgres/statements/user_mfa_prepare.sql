-- A key that is not in force until a code of it was seen. One that is in force is not replaced.
UPDATE users SET mfa_sealed = $2, mfa_step = NULL, updated_at = greatest(updated_at, $3)
WHERE id = $1::text::uuid AND NOT mfa_enabled RETURNING id::text
