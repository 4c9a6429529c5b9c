COPY block_history (number, at, status, color, reason) FROM STDIN (FORMAT binary)
