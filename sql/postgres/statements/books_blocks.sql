-- Blocks with their splits in order of discovery, past a number.
SELECT b.number, b.hash, b.candidate, b.candidate_seq, b.anchor_seq, b.fallback_seq, b.algorithm, b.network_work, b.height,
       a.address, w.name, b.found_at, b.life::text, b.income_life::text, b.confirmations, b.merging_block, b.reason, b.node,
       b.hash, s.scheme, s.fee_bp, s.first_seq, s.last_seq, s.weights, s.factor_bp, s.first_counted, s.root,
       b.status, b.color, b.reward, b.income
FROM blocks AS b JOIN workers AS w ON w.id = b.worker_id JOIN accounts AS a ON a.id = w.account_id
LEFT JOIN block_splits AS s ON s.number = b.number
WHERE b.number > $1 ORDER BY b.number LIMIT $2
