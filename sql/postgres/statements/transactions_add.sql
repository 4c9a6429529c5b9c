INSERT INTO ledger_transactions (reference, kind, block, at)
SELECT t.reference, t.kind, t.block, t.at
FROM unnest($1::text[], $2::text[], $3::bytea[], $4::timestamptz[]) WITH ORDINALITY AS t (reference, kind, block, at, line)
ORDER BY t.line
RETURNING id, reference
