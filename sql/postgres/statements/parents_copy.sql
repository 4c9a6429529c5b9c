COPY block_parents (number, position, parent) FROM STDIN (FORMAT binary)
