INSERT INTO payout_spends (payout_id, spend, live) SELECT $1, s.spend, true FROM unnest($2::text[]) AS s (spend)
