SELECT status, color, count(*) FROM blocks GROUP BY status, color
