SELECT algorithm, oldest_seq, newest_seq, state FROM windows WHERE node = :node ORDER BY algorithm
