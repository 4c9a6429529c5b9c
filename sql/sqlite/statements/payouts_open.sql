SELECT p.id, p.state, p.hold, p.reason, p.created_at, p.updated_at, p.ended_at, t.txid, t.bytes, t.fee_hi, t.fee_mid, t.fee_lo,
       EXISTS (SELECT 1 FROM payout_items AS i JOIN payout_terms AS h ON h.account_id = i.account_id
               WHERE i.payout_id = p.id AND h.hold IS NOT NULL)
FROM payouts AS p LEFT JOIN payout_transactions AS t ON t.payout_id = p.id
WHERE p.state NOT IN ('settled', 'returned') ORDER BY p.id
