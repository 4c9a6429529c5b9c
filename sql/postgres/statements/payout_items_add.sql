INSERT INTO payout_items (payout_id, line, account_id, amount)
SELECT * FROM unnest($1::bigint[], $2::integer[], $3::bigint[], $4::numeric[])
