-- A block's present state; how it came there is in block_history. A new one gets the next number.
INSERT INTO blocks (
  number, hash, node, candidate, candidate_seq, anchor_seq, fallback_seq, algorithm, network_work, height, worker_id, found_at,
  status, color, confirmations, reward, income, merging_block, life, income_life, reason, updated_at)
SELECT
  coalesce(b.number, (SELECT coalesce(max(number), 0) FROM blocks) + row_number() OVER (PARTITION BY b.number IS NULL ORDER BY s.line)),
  s.hash, s.node, s.candidate, s.candidate_seq, s.anchor_seq, s.fallback_seq, s.algorithm, s.network_work, s.height, s.worker_id,
  s.found_at, s.status, s.color, s.confirmations, s.reward, s.income, s.merging_block, s.life::json, s.income_life::json, s.reason,
  s.updated_at
FROM stage_blocks AS s LEFT JOIN blocks AS b ON b.hash = s.hash ORDER BY s.line
ON CONFLICT (hash) DO UPDATE SET
  anchor_seq = excluded.anchor_seq, height = excluded.height, status = excluded.status, color = excluded.color,
  confirmations = excluded.confirmations, reward = excluded.reward, income = excluded.income,
  merging_block = excluded.merging_block, life = excluded.life, income_life = excluded.income_life, reason = excluded.reason,
  updated_at = excluded.updated_at
RETURNING number, hash
