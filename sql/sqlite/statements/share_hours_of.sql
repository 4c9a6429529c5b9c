SELECT h.hour, h.algorithm, sum(h.accepted), sum(h.work_hi), sum(h.work_mid), sum(h.work_lo)
FROM share_hours AS h JOIN workers AS w ON w.id = h.worker_id JOIN accounts AS a ON a.id = w.account_id
WHERE a.address = :address AND h.hour >= :from AND h.hour < :to
GROUP BY h.hour, h.algorithm ORDER BY h.hour, h.algorithm
