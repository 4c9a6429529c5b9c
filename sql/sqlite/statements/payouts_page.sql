-- Newest first, past a payout's number; an empty filter matches all.
SELECT p.id, p.state, p.hold, p.reason, p.created_at, p.updated_at, p.ended_at, t.txid, t.bytes, t.fee_hi, t.fee_mid, t.fee_lo,
       EXISTS (SELECT 1 FROM payout_items AS i JOIN payout_terms AS h ON h.account_id = i.account_id
               WHERE i.payout_id = p.id AND h.hold IS NOT NULL)
FROM payouts AS p LEFT JOIN payout_transactions AS t ON t.payout_id = p.id
WHERE p.id < :before AND (:state = '' OR p.state = :state)
  AND (:account = '' OR EXISTS (SELECT 1 FROM payout_items AS i JOIN accounts AS a ON a.id = i.account_id
                                WHERE i.payout_id = p.id AND a.address = :account))
ORDER BY p.id DESC LIMIT :limit
