-- Whoever changes balances does so alone: then the order of rows does not matter, and what is missing stays missing until it
-- is inserted. Released when the transaction ends. The last lock that is taken, so that nobody waits in a circle.
SELECT pg_advisory_xact_lock(1145128784, 2)
