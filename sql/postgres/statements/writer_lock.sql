-- Held by the session: it falls free when the process, its machine or the connection is gone.
SELECT pg_try_advisory_lock(1145128784, hashtext($1)), (SELECT token FROM writers WHERE node = $1)
