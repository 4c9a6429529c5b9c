COPY block_splits (number, scheme, fee_bp, first_seq, last_seq, weights, factor_bp, first_counted, root) FROM STDIN (FORMAT binary)
