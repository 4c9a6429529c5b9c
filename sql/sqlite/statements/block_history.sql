SELECT at, status, color, reason FROM block_history WHERE number = :number ORDER BY id
