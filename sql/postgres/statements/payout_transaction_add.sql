INSERT INTO payout_transactions (payout_id, txid, bytes, fee, signed_at) VALUES ($1, $2, $3, $4, $5)
