SELECT kind, sum(amount_hi), sum(amount_mid), sum(amount_lo) FROM balances GROUP BY kind ORDER BY kind
