SELECT amount_hi, amount_mid, amount_lo FROM balances WHERE account_id = :account_id AND kind = :kind
