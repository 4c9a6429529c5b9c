-- Once for each step, and only forward.
UPDATE users SET mfa_step = $2
WHERE id = $1::text::uuid AND mfa_sealed IS NOT NULL AND (mfa_step IS NULL OR mfa_step < $2) RETURNING id::text
