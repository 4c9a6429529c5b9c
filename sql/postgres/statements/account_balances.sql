SELECT account_id, kind, amount FROM balances WHERE account_id = ANY ($1) ORDER BY account_id, kind
