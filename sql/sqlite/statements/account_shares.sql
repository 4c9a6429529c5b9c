SELECT w.name, s.algorithm, s.accepted, s.work_hi, s.work_mid, s.work_lo, s.last_share_at
FROM workers AS w JOIN share_totals AS s ON s.worker_id = w.id
WHERE w.account_id = :account_id ORDER BY w.name, s.algorithm
