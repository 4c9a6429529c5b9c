-- Numbered parameters: it runs once for each account of a block or worker of a commit.
INSERT INTO balances (kind, account_id, amount_hi, amount_mid, amount_lo)
VALUES (?1, ?2, ?3, ?4, ?5)
ON CONFLICT (account_id, kind) DO UPDATE SET
  amount_hi  = amount_hi + excluded.amount_hi + (amount_mid + excluded.amount_mid + (amount_lo + excluded.amount_lo) / 10000000000) / 10000000000,
  amount_mid = (amount_mid + excluded.amount_mid + (amount_lo + excluded.amount_lo) / 10000000000) % 10000000000,
  amount_lo  = (amount_lo + excluded.amount_lo) % 10000000000
