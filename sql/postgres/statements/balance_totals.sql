SELECT kind, sum(amount) FROM balances GROUP BY kind ORDER BY kind
