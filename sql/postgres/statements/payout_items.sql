SELECT i.payout_id, a.address, i.amount
FROM payout_items AS i JOIN accounts AS a ON a.id = i.account_id WHERE i.payout_id = ANY ($1) ORDER BY i.payout_id, i.line
