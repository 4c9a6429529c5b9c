-- Blocks whose life goes on: the ledger keeps these in memory.
SELECT b.number, b.hash, b.candidate, b.candidate_seq, b.anchor_seq, b.fallback_seq, b.algorithm, b.network_work, b.height,
       a.address, w.name, b.found_at, b.life::text, b.income_life::text, b.confirmations, b.merging_block, b.reason
FROM blocks AS b JOIN workers AS w ON w.id = b.worker_id JOIN accounts AS a ON a.id = w.account_id
WHERE b.node = $1 AND b.status IN ('candidate', 'submitted', 'accepted', 'matured') ORDER BY b.number
