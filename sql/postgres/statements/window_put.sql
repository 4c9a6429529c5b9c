INSERT INTO windows (node, algorithm, oldest_seq, newest_seq, state) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (node, algorithm) DO UPDATE SET
  oldest_seq = excluded.oldest_seq, newest_seq = excluded.newest_seq, state = excluded.state
