SELECT a.address, b.amount_hi, b.amount_mid, b.amount_lo, t.threshold_hi, t.threshold_mid, t.threshold_lo,
       coalesce((SELECT max(p.created_at) FROM payout_items AS i JOIN payouts AS p ON p.id = i.payout_id
                 WHERE i.account_id = b.account_id), 0)
FROM balances AS b JOIN accounts AS a ON a.id = b.account_id LEFT JOIN payout_terms AS t ON t.account_id = b.account_id
WHERE b.kind = 'miner_confirmed' AND t.hold IS NULL AND t.set_aside IS NULL AND (b.amount_hi, b.amount_mid, b.amount_lo) > (0, 0, 0)
  AND (b.amount_hi, b.amount_mid, b.amount_lo)
    >= (coalesce(t.threshold_hi, :hi), coalesce(t.threshold_mid, :mid), coalesce(t.threshold_lo, :lo))
