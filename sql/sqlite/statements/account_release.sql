UPDATE accounts SET user_id = NULL, claimed_by = NULL, claimed_at = NULL WHERE address = :address AND user_id = :user_id
