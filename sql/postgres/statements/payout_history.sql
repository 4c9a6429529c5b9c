SELECT at, state, detail FROM payout_history WHERE payout_id = $1 ORDER BY id
