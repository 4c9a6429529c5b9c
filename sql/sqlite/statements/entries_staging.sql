-- Entries of one commit on their way into ledger_entries: of this connection alone, in memory.
CREATE TEMP TABLE IF NOT EXISTS entries_staged (
  transaction_id  INTEGER NOT NULL,
  line            INTEGER NOT NULL,
  kind            TEXT    NOT NULL,
  account_id      INTEGER NOT NULL,
  amount_hi       INTEGER NOT NULL,
  amount_mid      INTEGER NOT NULL,
  amount_lo       INTEGER NOT NULL
) STRICT
