-- Once for each step, and only forward.
UPDATE users SET mfa_step = :step
WHERE id = :id AND mfa_sealed IS NOT NULL AND (mfa_step IS NULL OR mfa_step < :step)
