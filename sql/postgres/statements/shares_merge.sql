INSERT INTO share_totals AS t (worker_id, algorithm, accepted, work, last_share_at)
SELECT worker_id, algorithm, sum(accepted)::bigint, sum(work), max(last_share_at)
FROM stage_shares GROUP BY worker_id, algorithm ORDER BY worker_id, algorithm
ON CONFLICT (worker_id, algorithm) DO UPDATE SET
  accepted = t.accepted + excluded.accepted, work = t.work + excluded.work,
  last_share_at = greatest(t.last_share_at, excluded.last_share_at)
