-- Newest first, past a block's number; an empty filter matches all.
SELECT b.number, b.hash, b.candidate, b.candidate_seq, b.anchor_seq, b.algorithm, b.network_work_hi, b.network_work_mid, b.network_work_lo,
       b.height, a.address, w.name, b.found_at, b.status, b.color, b.confirmations,
       b.reward_hi, b.reward_mid, b.reward_lo, b.income_hi, b.income_mid, b.income_lo, b.merging_block,
       b.booked_reward_hi, b.booked_reward_mid, b.booked_reward_lo, b.booked_income_hi, b.booked_income_mid, b.booked_income_lo, b.postings, b.reason
FROM blocks AS b JOIN workers AS w ON w.id = b.worker_id JOIN accounts AS a ON a.id = w.account_id
WHERE b.number < :before AND (:status = '' OR b.status = :status) AND (:color = '' OR b.color = :color)
  AND (:account = '' OR a.address = :account)
ORDER BY b.number DESC LIMIT :limit
