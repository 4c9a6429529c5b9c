UPDATE payouts SET hold = :reason WHERE id = :id
