INSERT INTO share_hours AS t (worker_id, algorithm, hour, accepted, work)
SELECT worker_id, algorithm, date_trunc('hour', last_share_at, 'UTC'), sum(accepted)::bigint, sum(work)
FROM stage_shares GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
ON CONFLICT (worker_id, algorithm, hour) DO UPDATE SET accepted = t.accepted + excluded.accepted, work = t.work + excluded.work
