SELECT (SELECT count(*) FROM accounts WHERE id > 0), (SELECT count(*) FROM workers),
       (SELECT coalesce(sum(accepted), 0)::bigint FROM share_totals)
