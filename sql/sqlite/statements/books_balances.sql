SELECT kind, account_id, amount_hi, amount_mid, amount_lo FROM balances ORDER BY account_id, kind
