-- What is confirmed; so that nobody takes from it until this transaction ends.
SELECT coalesce(confirmed, 0) FROM account_balances WHERE account_id = $1 FOR UPDATE
