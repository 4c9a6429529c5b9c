SELECT payout_id, spend FROM payout_spends WHERE payout_id = ANY ($1) ORDER BY payout_id, spend
