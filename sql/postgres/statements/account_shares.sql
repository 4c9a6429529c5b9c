SELECT w.account_id, w.name, s.algorithm, s.accepted, s.work, s.last_share_at
FROM workers AS w JOIN share_totals AS s ON s.worker_id = w.id
WHERE w.account_id = ANY ($1) ORDER BY w.account_id, w.name, s.algorithm
