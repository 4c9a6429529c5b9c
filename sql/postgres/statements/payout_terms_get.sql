-- An empty name matches all accounts about which something was decided.
SELECT a.address, t.threshold, t.hold, t.set_aside
FROM payout_terms AS t JOIN accounts AS a ON a.id = t.account_id
WHERE ($1 = '' OR a.address = $1) AND (t.threshold IS NOT NULL OR t.hold IS NOT NULL OR t.set_aside IS NOT NULL)
ORDER BY a.address
