-- Numbered parameters: it runs once for each worker of a commit. The carry runs from lo over mid to hi.
INSERT INTO share_hours (worker_id, algorithm, hour, accepted, work_hi, work_mid, work_lo)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
ON CONFLICT (worker_id, algorithm, hour) DO UPDATE SET
  accepted = accepted + excluded.accepted,
  work_hi  = work_hi + excluded.work_hi + (work_mid + excluded.work_mid + (work_lo + excluded.work_lo) / 10000000000) / 10000000000,
  work_mid = (work_mid + excluded.work_mid + (work_lo + excluded.work_lo) / 10000000000) % 10000000000,
  work_lo  = (work_lo + excluded.work_lo) % 10000000000
