-- Nobody's, if somebody else has it by less: the key beats machines, and who shows the same later has it.
UPDATE accounts SET user_id = NULL, claimed_by = NULL, claimed_at = NULL
WHERE address = $1 AND id <> 0 AND user_id IS NOT NULL AND user_id <> $2::text::uuid AND ($3::text = 'signature' OR claimed_by IS DISTINCT FROM 'signature')
RETURNING id
