SELECT j.id, j.reference, a.address, j.amount, j.author, j.reason, j.below_zero, j.at
FROM adjustments AS j JOIN accounts AS a ON a.id = j.account_id WHERE j.reference = $1
