SELECT at, status, color, reason FROM block_history WHERE number = $1 ORDER BY id
