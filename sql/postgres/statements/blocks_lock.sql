-- Numbers are given in order over all nodes: one commit with blocks at a time; released when the transaction ends.
SELECT pg_advisory_xact_lock(1145128784, 1)
