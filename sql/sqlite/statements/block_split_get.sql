SELECT scheme, fee_bp, first_seq, last_seq, weights FROM block_splits WHERE number = :number
