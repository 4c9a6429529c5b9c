-- An empty name matches all accounts about which something was decided.
SELECT a.address, t.threshold_hi, t.threshold_mid, t.threshold_lo, t.hold, t.set_aside
FROM payout_terms AS t JOIN accounts AS a ON a.id = t.account_id
WHERE (:account = '' OR a.address = :account) AND (t.threshold_hi IS NOT NULL OR t.hold IS NOT NULL OR t.set_aside IS NOT NULL)
ORDER BY a.address
