SELECT w.id, w.account_id, w.name
FROM unnest($1::bigint[], $2::text[]) AS named (account_id, name)
JOIN workers AS w ON w.account_id = named.account_id AND w.name = named.name
