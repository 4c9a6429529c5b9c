INSERT INTO ledger_entries (transaction_id, line, book, account_id, amount_hi, amount_mid, amount_lo)
VALUES (:transaction_id, :line, :book, :account_id, :amount_hi, :amount_mid, :amount_lo)
