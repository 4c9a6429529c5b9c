-- Of those that are left over when a hundred at a time were written (entries_put).
INSERT INTO ledger_entries (transaction_id, line, kind, account_id, amount_hi, amount_mid, amount_lo) VALUES
(?, ?, ?, ?, ?, ?, ?)
