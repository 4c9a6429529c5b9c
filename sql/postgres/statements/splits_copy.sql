COPY block_splits (number, scheme, fee_bp, first_seq, last_seq, weights) FROM STDIN (FORMAT binary)
