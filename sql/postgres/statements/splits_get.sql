SELECT b.hash, s.scheme, s.fee_bp, s.first_seq, s.last_seq, s.weights, s.factor_bp, s.first_counted, s.root
FROM block_splits AS s JOIN blocks AS b ON b.number = s.number WHERE b.hash = ANY ($1)
