SELECT candidate, seq FROM anchors WHERE node = $1 ORDER BY seq
