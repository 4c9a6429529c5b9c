-- Blocks with their splits in order of discovery, past a number.
SELECT b.number, b.hash, b.candidate, b.candidate_seq, b.anchor_seq, b.algorithm, b.network_work_hi, b.network_work_mid, b.network_work_lo,
       b.height, a.address, w.name, b.found_at, b.confirmations, b.merging_block, b.reason, b.fallback_seq, b.life, b.income_life, b.node,
       s.scheme, s.fee_bp, s.first_seq, s.last_seq, s.weights, s.factor_bp, s.first_counted_hi, s.first_counted_mid, s.first_counted_lo,
       s.root, b.status, b.color, b.reward_hi, b.reward_mid, b.reward_lo, b.income_hi, b.income_mid, b.income_lo
FROM blocks AS b JOIN workers AS w ON w.id = b.worker_id JOIN accounts AS a ON a.id = w.account_id
LEFT JOIN block_splits AS s ON s.number = b.number
WHERE b.number > :after ORDER BY b.number LIMIT :limit
