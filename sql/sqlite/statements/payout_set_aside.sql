INSERT INTO payout_terms (account_id, set_aside) VALUES (:account_id, :reason)
ON CONFLICT (account_id) DO UPDATE SET set_aside = excluded.set_aside
