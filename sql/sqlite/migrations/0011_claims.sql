-- How it was shown that an account is its user's: by a signature of its key, or by the machines that mine for it.
ALTER TABLE accounts ADD COLUMN claimed_by TEXT CHECK (claimed_by IN ('signature', 'workers'));
ALTER TABLE accounts ADD COLUMN claimed_at INTEGER;
