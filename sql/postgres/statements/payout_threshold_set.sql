INSERT INTO payout_terms (account_id, threshold) VALUES ($1, $2)
ON CONFLICT (account_id) DO UPDATE SET threshold = excluded.threshold
