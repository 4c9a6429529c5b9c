-- Refuses (no row changed) when somebody else has written in between.
UPDATE positions SET seq = :seq, commits = commits + 1
WHERE node = :node AND commits = :expected_commits AND seq <= :seq
