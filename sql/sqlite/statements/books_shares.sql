SELECT w.account_id, w.name, s.algorithm, s.accepted, s.work_hi, s.work_mid, s.work_lo
FROM share_totals AS s JOIN workers AS w ON w.id = s.worker_id ORDER BY s.worker_id, s.algorithm
