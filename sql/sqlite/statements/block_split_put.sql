INSERT INTO block_splits (number, scheme, fee_bp, first_seq, last_seq, weights)
VALUES (:number, :scheme, :fee_bp, :first_seq, :last_seq, :weights)
