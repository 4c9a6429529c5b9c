INSERT INTO block_parents (number, position, parent) VALUES (:number, :position, :parent) ON CONFLICT DO NOTHING
