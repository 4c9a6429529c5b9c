-- A block's present state; how it came there is in block_history. A new one gets the next number.
INSERT INTO blocks (
  number, hash, node, candidate, candidate_seq, anchor_seq, algorithm, network_work_hi, network_work_mid, network_work_lo,
  height, worker_id, found_at, status, color, confirmations, reward_hi, reward_mid, reward_lo, income_hi, income_mid, income_lo,
  merging_block, booked_reward_hi, booked_reward_mid, booked_reward_lo, booked_income_hi, booked_income_mid, booked_income_lo, postings, reason, updated_at)
VALUES (
  (SELECT coalesce(max(number), 0) + 1 FROM blocks), :hash, :node, :candidate, :candidate_seq, :anchor_seq, :algorithm, :network_work_hi, :network_work_mid, :network_work_lo, :height, :worker_id, :found_at, :status, :color, :confirmations, :reward_hi, :reward_mid, :reward_lo, :income_hi, :income_mid, :income_lo, :merging_block, :booked_reward_hi, :booked_reward_mid, :booked_reward_lo, :booked_income_hi, :booked_income_mid, :booked_income_lo, :postings, :reason, :updated_at)
ON CONFLICT (hash) DO UPDATE SET
  anchor_seq = excluded.anchor_seq, height = excluded.height, status = excluded.status, color = excluded.color,
  confirmations = excluded.confirmations, reward_hi = excluded.reward_hi, reward_mid = excluded.reward_mid,
  reward_lo = excluded.reward_lo, income_hi = excluded.income_hi, income_mid = excluded.income_mid,
  income_lo = excluded.income_lo, merging_block = excluded.merging_block,
  booked_reward_hi = excluded.booked_reward_hi, booked_reward_mid = excluded.booked_reward_mid, booked_reward_lo = excluded.booked_reward_lo,
  booked_income_hi = excluded.booked_income_hi, booked_income_mid = excluded.booked_income_mid, booked_income_lo = excluded.booked_income_lo,
  postings = excluded.postings, reason = excluded.reason,
  updated_at = excluded.updated_at
RETURNING number
