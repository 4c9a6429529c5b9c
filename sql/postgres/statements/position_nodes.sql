SELECT node FROM positions ORDER BY node
