INSERT INTO ledger_entries (transaction_id, line, kind, account_id, amount_hi, amount_mid, amount_lo)
VALUES (:transaction_id, :line, :kind, :account_id, :amount_hi, :amount_mid, :amount_lo)
