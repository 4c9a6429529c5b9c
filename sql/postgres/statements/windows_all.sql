SELECT algorithm, oldest_seq, newest_seq, state FROM windows WHERE node = $1 ORDER BY algorithm
