-- One correction of an account at a time.
SELECT id FROM accounts WHERE address = $1 AND id > 0 FOR NO KEY UPDATE
