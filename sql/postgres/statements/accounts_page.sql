-- Accounts by address, past a given one.
SELECT id, address FROM accounts WHERE id > 0 AND address > $1 ORDER BY address LIMIT $2
