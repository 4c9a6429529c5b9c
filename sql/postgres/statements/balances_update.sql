-- How many of the given there are; the others are inserted. A kind that nothing is added to is given as NULL.
UPDATE account_balances AS b SET
  pending = coalesce(b.pending + s.pending, s.pending, b.pending),
  confirmed = coalesce(b.confirmed + s.confirmed, s.confirmed, b.confirmed),
  reserved = coalesce(b.reserved + s.reserved, s.reserved, b.reserved),
  paid = coalesce(b.paid + s.paid, s.paid, b.paid),
  first_credit = least(b.first_credit, s.first_credit),
  last_credit = greatest(b.last_credit, s.last_credit)
FROM unnest($1::bigint[], $2::numeric[], $3::numeric[], $4::numeric[], $5::numeric[], $6::bigint[], $7::bigint[])
  AS s (account_id, pending, confirmed, reserved, paid, first_credit, last_credit)
WHERE b.account_id = s.account_id
