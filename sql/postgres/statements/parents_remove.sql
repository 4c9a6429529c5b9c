DELETE FROM block_parents WHERE number = ANY ($1)
