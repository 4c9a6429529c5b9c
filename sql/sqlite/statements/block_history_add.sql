INSERT INTO block_history (number, at, status, color, reason)
VALUES (:number, :at, :status, :color, :reason)
