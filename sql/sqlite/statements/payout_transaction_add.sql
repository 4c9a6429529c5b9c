INSERT INTO payout_transactions (payout_id, txid, bytes, fee_hi, fee_mid, fee_lo, signed_at)
VALUES (:id, :txid, :bytes, :hi, :mid, :lo, :at)
