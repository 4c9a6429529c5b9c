-- Newest first, past a block's number; an empty filter matches all.
SELECT b.number, b.hash, b.candidate, b.candidate_seq, b.anchor_seq, b.fallback_seq, b.algorithm, b.network_work, b.height,
       a.address, w.name, b.found_at, b.life::text, b.income_life::text, b.confirmations, b.merging_block, b.reason
FROM blocks AS b JOIN workers AS w ON w.id = b.worker_id JOIN accounts AS a ON a.id = w.account_id
WHERE b.number < $1 AND ($2 = '' OR b.status = $2) AND ($3 = '' OR b.color = $3) AND ($4 = '' OR a.address = $4)
ORDER BY b.number DESC LIMIT $5
