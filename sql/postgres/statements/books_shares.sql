SELECT w.account_id, w.name, s.algorithm, s.accepted, s.work
FROM share_totals AS s JOIN workers AS w ON w.id = s.worker_id ORDER BY s.worker_id, s.algorithm
