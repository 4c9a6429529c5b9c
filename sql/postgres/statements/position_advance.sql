UPDATE positions SET seq = $2, commits = commits + 1 WHERE node = $1
