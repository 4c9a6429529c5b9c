-- The keys of the newest accounts, for a writer that has just been opened.
SELECT id, address FROM accounts WHERE id > 0 ORDER BY id DESC LIMIT :limit
