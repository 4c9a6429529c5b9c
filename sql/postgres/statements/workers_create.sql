INSERT INTO workers (account_id, name)
SELECT DISTINCT named.account_id, named.name FROM unnest($1::bigint[], $2::text[]) AS named (account_id, name) ORDER BY 1, 2
ON CONFLICT (account_id, name) DO NOTHING
