-- So that nobody takes from it until this transaction ends.
SELECT amount FROM balances WHERE account_id = $1 AND kind = $2 FOR UPDATE
