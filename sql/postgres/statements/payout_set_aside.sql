INSERT INTO payout_terms (account_id, set_aside) VALUES ($1, $2)
ON CONFLICT (account_id) DO UPDATE SET set_aside = excluded.set_aside
