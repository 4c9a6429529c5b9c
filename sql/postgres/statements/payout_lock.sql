-- Held by the session: it falls free when the process, its machine or the connection is gone.
SELECT pg_try_advisory_lock(1145128785, 1)
