-- Blocks whose life has ended and whose postings still hold something pending.
SELECT b.number, e.kind
FROM blocks AS b
JOIN ledger_transactions AS t ON t.block = b.hash
JOIN ledger_entries AS e ON e.transaction_id = t.id
WHERE b.status IN ('rejected', 'paid', 'void') AND e.kind IN ('chain_pending', 'miner_pending', 'fee_pending')
GROUP BY b.number, e.kind
HAVING sum(e.amount) <> 0
