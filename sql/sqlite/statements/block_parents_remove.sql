DELETE FROM block_parents WHERE number = :number
