UPDATE payouts SET state = :state, reason = :reason, updated_at = :at, ended_at = CASE WHEN :ended THEN :at END WHERE id = :id
