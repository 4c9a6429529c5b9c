-- The next fencing token; the node's position begins here, too.
WITH begun AS (
  INSERT INTO positions (node) VALUES ($1) ON CONFLICT (node) DO UPDATE SET node = excluded.node RETURNING node
)
INSERT INTO writers AS w (node, token, pid, taken_at) SELECT node, 1, pg_backend_pid(), now() FROM begun
ON CONFLICT (node) DO UPDATE SET token = w.token + 1, pid = excluded.pid, taken_at = excluded.taken_at
RETURNING token
