DELETE FROM anchors WHERE node = $1 AND candidate = ANY ($2)
