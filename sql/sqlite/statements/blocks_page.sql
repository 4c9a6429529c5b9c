-- Newest first, past a block's number; an empty filter matches all.
SELECT b.number, b.hash, b.candidate, b.candidate_seq, b.anchor_seq, b.algorithm, b.network_work_hi, b.network_work_mid, b.network_work_lo,
       b.height, a.address, w.name, b.found_at, b.confirmations, b.merging_block, b.reason, b.fallback_seq, b.life, b.income_life
FROM blocks AS b JOIN workers AS w ON w.id = b.worker_id JOIN accounts AS a ON a.id = w.account_id
WHERE b.number < :before AND (:status = '' OR b.status = :status) AND (:color = '' OR b.color = :color)
  AND (:account = '' OR a.address = :account)
ORDER BY b.number DESC LIMIT :limit
