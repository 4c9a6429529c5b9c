SELECT kind, amount_hi, amount_mid, amount_lo FROM balances WHERE account_id = :account_id ORDER BY kind
