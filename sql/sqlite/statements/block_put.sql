-- A block's present state; how it came there is in block_history. A new one gets the next number.
INSERT INTO blocks (
  number, hash, node, candidate, candidate_seq, anchor_seq, fallback_seq, algorithm, network_work_hi, network_work_mid, network_work_lo,
  height, worker_id, found_at, status, color, confirmations, reward_hi, reward_mid, reward_lo, income_hi, income_mid, income_lo,
  merging_block, life, income_life, reason, updated_at)
VALUES (
  (SELECT coalesce(max(number), 0) + 1 FROM blocks), :hash, :node, :candidate, :candidate_seq, :anchor_seq, :fallback_seq, :algorithm, :network_work_hi, :network_work_mid, :network_work_lo, :height, :worker_id, :found_at, :status, :color, :confirmations, :reward_hi, :reward_mid, :reward_lo, :income_hi, :income_mid, :income_lo, :merging_block, :life, :income_life, :reason, :updated_at)
ON CONFLICT (hash) DO UPDATE SET
  anchor_seq = excluded.anchor_seq, height = excluded.height, status = excluded.status, color = excluded.color,
  confirmations = excluded.confirmations, reward_hi = excluded.reward_hi, reward_mid = excluded.reward_mid,
  reward_lo = excluded.reward_lo, income_hi = excluded.income_hi, income_mid = excluded.income_mid,
  income_lo = excluded.income_lo, merging_block = excluded.merging_block,
  life = excluded.life, income_life = excluded.income_life, reason = excluded.reason,
  updated_at = excluded.updated_at
RETURNING number
