-- A claim by the key is not lost by one by machines.
UPDATE accounts SET user_id = :user_id, claimed_at = :at,
  claimed_by = CASE WHEN user_id IS NOT NULL AND claimed_by = 'signature' THEN 'signature' ELSE :by END
WHERE address = :address AND id <> 0 AND (user_id IS NULL OR user_id = :user_id)
