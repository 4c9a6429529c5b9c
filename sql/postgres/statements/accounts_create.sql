-- In order, so that two nodes of one pool never wait for each other in a circle.
INSERT INTO accounts (address, created_at)
SELECT DISTINCT named.address, $2::timestamptz FROM unnest($1::text[]) AS named (address) ORDER BY named.address
ON CONFLICT (address) DO NOTHING
