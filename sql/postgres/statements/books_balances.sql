SELECT kind, account_id, amount FROM balances ORDER BY account_id, kind
