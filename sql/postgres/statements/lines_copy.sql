COPY ledger_lines (transaction_id, kind, part, account_ids, amounts) FROM STDIN (FORMAT binary)
