UPDATE payouts SET hold = $2 WHERE id = $1
