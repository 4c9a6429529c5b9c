INSERT INTO payouts (id, state, created_at, updated_at)
SELECT n.id, 'reserved', $2::timestamptz, $2::timestamptz FROM unnest($1::bigint[]) AS n (id)
