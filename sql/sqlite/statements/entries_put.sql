-- All at once: checks and triggers are set up once, not for each of ten thousand entries.
INSERT INTO ledger_entries (transaction_id, line, kind, account_id, amount_hi, amount_mid, amount_lo)
SELECT transaction_id, line, kind, account_id, amount_hi, amount_mid, amount_lo FROM temp.entries_staged ORDER BY rowid
