-- Blocks whose life goes on: the ledger keeps these in memory.
SELECT b.number, b.hash, b.candidate, b.candidate_seq, b.anchor_seq, b.algorithm, b.network_work_hi, b.network_work_mid, b.network_work_lo,
       b.height, a.address, w.name, b.found_at, b.confirmations, b.merging_block, b.reason, b.fallback_seq, b.life, b.income_life
FROM blocks AS b JOIN workers AS w ON w.id = b.worker_id JOIN accounts AS a ON a.id = w.account_id
WHERE b.node = :node AND b.status IN ('candidate', 'submitted', 'accepted', 'matured') ORDER BY b.number
