-- Accounts by address, past a given one.
SELECT id, address FROM accounts WHERE id > 0 AND address > :after ORDER BY address LIMIT :limit
