INSERT INTO anchors (node, candidate, seq)
SELECT $1, added.candidate, added.seq FROM unnest($2::bigint[], $3::bigint[]) AS added (candidate, seq)
ON CONFLICT DO NOTHING
