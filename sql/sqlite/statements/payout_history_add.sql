INSERT INTO payout_history (payout_id, at, state, detail) VALUES (:id, :at, :state, :detail)
