SELECT seq, commits FROM positions WHERE node = $1
