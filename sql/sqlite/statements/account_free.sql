-- Nobody's, if somebody else has it by less: the key beats machines, and who shows the same later has it.
UPDATE accounts SET user_id = NULL, claimed_by = NULL, claimed_at = NULL
WHERE address = :address AND id <> 0 AND user_id IS NOT NULL AND user_id <> :user_id AND (:by = 'signature' OR claimed_by IS NOT 'signature')
