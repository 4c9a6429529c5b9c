-- A release also ends its being set aside: the address is asked for again.
INSERT INTO payout_terms AS t (account_id, hold) VALUES ($1, $2)
ON CONFLICT (account_id) DO UPDATE SET
  hold = excluded.hold, set_aside = CASE WHEN excluded.hold IS NULL THEN NULL ELSE t.set_aside END
