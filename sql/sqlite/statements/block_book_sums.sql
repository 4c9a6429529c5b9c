-- What a block's postings add up to, by book and account: what a compensating transaction has to undo.
SELECT e.book, a.address, sum(e.amount_hi), sum(e.amount_mid), sum(e.amount_lo)
FROM ledger_transactions AS t
JOIN ledger_entries AS e ON e.transaction_id = t.id
JOIN accounts AS a ON a.id = e.account_id
WHERE t.block = :hash
GROUP BY e.book, e.account_id
ORDER BY e.book, a.address
