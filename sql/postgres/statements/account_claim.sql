-- A claim by the key is not lost by one by machines.
UPDATE accounts SET user_id = $2::text::uuid, claimed_at = $4,
  claimed_by = CASE WHEN user_id IS NOT NULL AND claimed_by = 'signature' THEN 'signature' ELSE $3::text END
WHERE address = $1 AND id <> 0 AND (user_id IS NULL OR user_id = $2::text::uuid) RETURNING id
