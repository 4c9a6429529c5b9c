INSERT INTO positions (node, seq, commits) VALUES (:node, 0, 0) ON CONFLICT DO NOTHING
