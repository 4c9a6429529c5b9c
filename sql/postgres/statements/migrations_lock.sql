-- Two pools that start at once must not migrate at once; released when the transaction ends.
SELECT pg_advisory_xact_lock(1145128784, 0)
