SELECT spend FROM payout_spends WHERE payout_id = :id ORDER BY spend
