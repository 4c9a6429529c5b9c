SELECT book, sum(amount_hi), sum(amount_mid), sum(amount_lo) FROM balances GROUP BY book ORDER BY book
