INSERT INTO payout_terms (account_id, threshold_hi, threshold_mid, threshold_lo) VALUES (:account_id, :hi, :mid, :lo)
ON CONFLICT (account_id) DO UPDATE SET
  threshold_hi = excluded.threshold_hi, threshold_mid = excluded.threshold_mid, threshold_lo = excluded.threshold_lo
