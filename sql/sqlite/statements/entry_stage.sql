-- Numbered parameters: it runs once for each account of a block.
INSERT INTO temp.entries_staged (transaction_id, line, kind, account_id, amount_hi, amount_mid, amount_lo)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
