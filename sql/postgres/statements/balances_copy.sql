COPY stage_balances (kind, account_id, amount) FROM STDIN (FORMAT binary)
