INSERT INTO payout_history (payout_id, at, state, detail)
SELECT n.id, $2::timestamptz, $3::text, $4::text FROM unnest($1::bigint[]) AS n (id)
