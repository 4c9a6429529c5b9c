DELETE FROM anchors WHERE node = :node AND candidate = :candidate
