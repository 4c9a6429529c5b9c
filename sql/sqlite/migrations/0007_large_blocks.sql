-- What a block of thousands of accounts costs is mostly the rows it adds.

-- Asked for is only what an account was credited (credits_page): the other entries, two thirds of all, need no place in it.
DROP INDEX ledger_entries_by_account;
CREATE INDEX ledger_entries_credits ON ledger_entries (account_id, transaction_id) WHERE kind = 'miner_pending' AND amount_hi >= 0;
