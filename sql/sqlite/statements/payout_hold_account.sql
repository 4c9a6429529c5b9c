-- A release also ends its being set aside: the address is asked for again.
INSERT INTO payout_terms (account_id, hold) VALUES (:account_id, :reason)
ON CONFLICT (account_id) DO UPDATE SET
  hold = excluded.hold, set_aside = CASE WHEN excluded.hold IS NULL THEN NULL ELSE set_aside END
