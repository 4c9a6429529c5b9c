-- Under the lock: what is missing stays missing until here.
INSERT INTO account_balances (account_id, pending, confirmed, reserved, paid, first_credit, last_credit)
SELECT s.account_id, s.pending, s.confirmed, s.reserved, s.paid, s.first_credit, s.last_credit
FROM unnest($1::bigint[], $2::numeric[], $3::numeric[], $4::numeric[], $5::numeric[], $6::bigint[], $7::bigint[])
  AS s (account_id, pending, confirmed, reserved, paid, first_credit, last_credit)
WHERE NOT EXISTS (SELECT 1 FROM account_balances AS b WHERE b.account_id = s.account_id)
ORDER BY s.account_id
