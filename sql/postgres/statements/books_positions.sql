SELECT node, seq, commits FROM positions ORDER BY node
