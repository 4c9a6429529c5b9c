INSERT INTO payout_items (payout_id, line, account_id, amount_hi, amount_mid, amount_lo)
VALUES (:id, :line, :account_id, :hi, :mid, :lo)
