-- Until the transaction ends. Locks are still waited for no longer than usual.
SET LOCAL statement_timeout = 0
