SELECT number, parent FROM block_parents WHERE number = ANY ($1) ORDER BY number, position
