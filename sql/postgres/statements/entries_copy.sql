COPY ledger_entries (transaction_id, line, kind, account_id, amount) FROM STDIN (FORMAT binary)
