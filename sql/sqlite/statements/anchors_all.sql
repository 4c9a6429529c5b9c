SELECT candidate, seq FROM anchors WHERE node = :node ORDER BY seq
