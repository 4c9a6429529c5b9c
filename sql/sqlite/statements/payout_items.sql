SELECT a.address, i.amount_hi, i.amount_mid, i.amount_lo
FROM payout_items AS i JOIN accounts AS a ON a.id = i.account_id WHERE i.payout_id = :id ORDER BY i.line
