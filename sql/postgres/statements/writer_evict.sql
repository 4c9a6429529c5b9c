-- Ends this process's own former session, which the server may not have noticed to be gone.
SELECT count(pg_terminate_backend(l.pid))
FROM pg_locks AS l JOIN writers AS w ON w.pid = l.pid
WHERE l.locktype = 'advisory' AND l.granted AND l.pid <> pg_backend_pid()
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND l.classid::bigint = 1145128784 AND l.objid::bigint = (hashtext($1)::bigint & 4294967295)
  AND w.node = $1 AND w.token = $2
