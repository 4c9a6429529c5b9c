UPDATE accounts SET user_id = NULL, claimed_by = NULL, claimed_at = NULL
WHERE address = $1 AND user_id = $2::text::uuid RETURNING id
