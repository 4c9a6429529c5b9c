SELECT p.seq, p.commits, w.token FROM positions AS p JOIN writers AS w ON w.node = p.node
WHERE p.node = $1 FOR UPDATE OF p FOR SHARE OF w
