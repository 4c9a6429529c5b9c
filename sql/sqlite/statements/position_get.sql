SELECT seq, commits FROM positions WHERE node = :node
