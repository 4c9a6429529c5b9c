-- Payouts whose postings do not say what their state says.
SELECT p.id
FROM payouts AS p
LEFT JOIN ledger_transactions AS r ON r.reference = 'payout:' || p.id || ':reserve'
LEFT JOIN ledger_transactions AS e ON e.reference = 'payout:' || p.id || ':end'
WHERE r.id IS NULL
   OR (p.state = 'settled') <> coalesce(e.kind = 'payout_settled', false)
   OR (p.state = 'returned') <> coalesce(e.kind = 'payout_returned', false)
