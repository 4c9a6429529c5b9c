SELECT at, state, detail FROM payout_history WHERE payout_id = :id ORDER BY id
