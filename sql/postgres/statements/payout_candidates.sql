SELECT a.address, b.confirmed, t.threshold,
       coalesce((SELECT max(p.created_at) FROM payout_items AS i JOIN payouts AS p ON p.id = i.payout_id
                 WHERE i.account_id = b.account_id), to_timestamp(0))
FROM account_balances AS b JOIN accounts AS a ON a.id = b.account_id LEFT JOIN payout_terms AS t ON t.account_id = b.account_id
WHERE t.hold IS NULL AND t.set_aside IS NULL AND b.confirmed > 0
  AND b.confirmed >= coalesce(t.threshold, $1)
