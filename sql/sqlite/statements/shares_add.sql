-- Numbered parameters: it runs once for each account of a block or worker of a commit.
-- Adds a batch's shares of one worker; the carry runs from lo over mid to hi.
INSERT INTO share_totals (worker_id, algorithm, accepted, work_hi, work_mid, work_lo, last_share_at)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
ON CONFLICT (worker_id, algorithm) DO UPDATE SET
  accepted = accepted + excluded.accepted,
  work_hi  = work_hi + excluded.work_hi + (work_mid + excluded.work_mid + (work_lo + excluded.work_lo) / 10000000000) / 10000000000,
  work_mid = (work_mid + excluded.work_mid + (work_lo + excluded.work_lo) / 10000000000) % 10000000000,
  work_lo  = (work_lo + excluded.work_lo) % 10000000000,
  last_share_at = max(last_share_at, excluded.last_share_at)
