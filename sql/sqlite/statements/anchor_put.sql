INSERT INTO anchors (node, candidate, seq) VALUES (:node, :candidate, :seq) ON CONFLICT DO NOTHING
