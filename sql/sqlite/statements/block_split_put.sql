INSERT INTO block_splits (number, scheme, fee_bp, first_seq, last_seq, weights,
  factor_bp, first_counted_hi, first_counted_mid, first_counted_lo, root)
VALUES (:number, :scheme, :fee_bp, :first_seq, :last_seq, :weights,
  :factor_bp, :first_counted_hi, :first_counted_mid, :first_counted_lo, :root)
