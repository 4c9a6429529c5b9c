SELECT h.hour, h.algorithm, sum(h.accepted)::bigint, sum(h.work)
FROM share_hours AS h
WHERE h.worker_id = ANY (ARRAY(
    SELECT w.id FROM workers AS w JOIN accounts AS a ON a.id = w.account_id WHERE a.address = $1))
  AND h.hour >= $2 AND h.hour < $3
GROUP BY 1, 2 ORDER BY 1, 2
