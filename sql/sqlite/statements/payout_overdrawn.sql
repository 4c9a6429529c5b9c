-- Miners' balances below zero: what was reserved is not there (any more).
SELECT a.address, b.kind FROM balances AS b JOIN accounts AS a ON a.id = b.account_id
WHERE b.account_id = :account_id AND b.kind IN ('miner_confirmed', 'miner_reserved') AND b.amount_hi < 0
