SELECT parent FROM block_parents WHERE number = :number ORDER BY position
