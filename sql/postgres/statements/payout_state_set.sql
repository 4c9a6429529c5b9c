UPDATE payouts SET state = $2, reason = $3, updated_at = $4::timestamptz, ended_at = CASE WHEN $5 THEN $4::timestamptz END WHERE id = $1
