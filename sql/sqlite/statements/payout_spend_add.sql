INSERT INTO payout_spends (payout_id, spend, live) VALUES (:id, :spend, 1)
