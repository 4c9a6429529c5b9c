-- The ledger, first form: who mined how much, which blocks were found, and double-entry postings.
-- Quantities are (hi, mid, lo) with base 10^10: see sql/README.md.

-- Where the feed from a node's share journal stands. `commits` numbers this node's transactions: a transaction
-- that was committed although its answer got lost is recognised by it, and a second writer is refused.
CREATE TABLE positions (
  node     TEXT    NOT NULL PRIMARY KEY,
  seq      INTEGER NOT NULL CHECK (seq >= 0),
  commits  INTEGER NOT NULL CHECK (commits >= 0)
) STRICT, WITHOUT ROWID;

-- Account 0 is the pool itself; '.' can't be in a miner's address.
CREATE TABLE accounts (
  id          INTEGER NOT NULL PRIMARY KEY,
  address     TEXT    NOT NULL UNIQUE,
  created_at  INTEGER NOT NULL
) STRICT;
INSERT INTO accounts (id, address, created_at) VALUES (0, '.pool', 0);

CREATE TABLE workers (
  id          INTEGER NOT NULL PRIMARY KEY,
  account_id  INTEGER NOT NULL REFERENCES accounts (id),
  name        TEXT    NOT NULL,
  UNIQUE (account_id, name)
) STRICT;

-- Roll-up of accepted shares: the shares themselves are in the journal.
CREATE TABLE share_totals (
  worker_id      INTEGER NOT NULL REFERENCES workers (id),
  algorithm      TEXT    NOT NULL,
  accepted       INTEGER NOT NULL CHECK (accepted > 0),
  work_hi        INTEGER NOT NULL CHECK (work_hi >= 0),
  work_mid       INTEGER NOT NULL CHECK (work_mid BETWEEN 0 AND 9999999999),
  work_lo        INTEGER NOT NULL CHECK (work_lo BETWEEN 0 AND 9999999999),
  last_share_at  INTEGER NOT NULL,
  PRIMARY KEY (worker_id, algorithm)
) STRICT, WITHOUT ROWID;

-- What each reward window held when the position was stored; on restart it is rebuilt from the journal and
-- compared with this. `oldest_seq` also tells the journal what it must keep.
CREATE TABLE windows (
  node        TEXT    NOT NULL,
  algorithm   TEXT    NOT NULL,
  oldest_seq  INTEGER NOT NULL,
  newest_seq  INTEGER NOT NULL,
  state       BLOB    NOT NULL,
  PRIMARY KEY (node, algorithm)
) STRICT, WITHOUT ROWID;

-- A share that met the network target and whose candidate record has not been read yet: it anchors the window.
CREATE TABLE anchors (
  node       TEXT    NOT NULL,
  candidate  INTEGER NOT NULL,
  seq        INTEGER NOT NULL,
  PRIMARY KEY (node, candidate)
) STRICT, WITHOUT ROWID;

CREATE TABLE blocks (
  number         INTEGER NOT NULL PRIMARY KEY,
  hash           BLOB    NOT NULL UNIQUE CHECK (length(hash) = 32),
  node           TEXT    NOT NULL,
  candidate      INTEGER NOT NULL,
  candidate_seq  INTEGER NOT NULL,
  anchor_seq     INTEGER,
  fallback_seq   INTEGER NOT NULL,
  algorithm      TEXT    NOT NULL,
  network_work_hi   INTEGER NOT NULL,
  network_work_mid  INTEGER NOT NULL CHECK (network_work_mid BETWEEN 0 AND 9999999999),
  network_work_lo   INTEGER NOT NULL CHECK (network_work_lo BETWEEN 0 AND 9999999999),
  height         INTEGER,
  worker_id      INTEGER NOT NULL REFERENCES workers (id),
  found_at       INTEGER NOT NULL,
  status         TEXT    NOT NULL CHECK (status IN ('candidate', 'submitted', 'accepted', 'rejected', 'matured', 'paid', 'void')),
  color          TEXT    NOT NULL CHECK (color IN ('unknown', 'blue', 'red')),
  confirmations  INTEGER NOT NULL CHECK (confirmations >= 0),
  reward_hi      INTEGER,
  reward_mid     INTEGER CHECK (reward_mid BETWEEN 0 AND 9999999999),
  reward_lo      INTEGER CHECK (reward_lo BETWEEN 0 AND 9999999999),
  income_hi      INTEGER,
  income_mid     INTEGER CHECK (income_mid BETWEEN 0 AND 9999999999),
  income_lo      INTEGER CHECK (income_lo BETWEEN 0 AND 9999999999),
  merging_block  BLOB,
  -- The state machines behind the columns above (pool_domain::maturity), as JSON: what was credited, and how often.
  life           TEXT    NOT NULL CHECK (json_valid(life)),
  income_life    TEXT    NOT NULL CHECK (json_valid(income_life)),
  reason         TEXT,
  updated_at     INTEGER NOT NULL,
  UNIQUE (node, candidate_seq)
) STRICT;
CREATE INDEX blocks_by_status ON blocks (status, color);
CREATE INDEX blocks_by_worker ON blocks (worker_id);

CREATE TABLE block_parents (
  number    INTEGER NOT NULL REFERENCES blocks (number),
  position  INTEGER NOT NULL,
  parent    BLOB    NOT NULL CHECK (length(parent) = 32),
  PRIMARY KEY (number, position)
) STRICT, WITHOUT ROWID;

-- Who shares in a block, fixed when its anchor was known: never changed afterwards.
CREATE TABLE block_splits (
  number     INTEGER NOT NULL PRIMARY KEY REFERENCES blocks (number),
  scheme     TEXT    NOT NULL,
  fee_bp     INTEGER NOT NULL CHECK (fee_bp BETWEEN 0 AND 10000),
  first_seq  INTEGER,
  last_seq   INTEGER NOT NULL,
  weights    BLOB    NOT NULL
) STRICT;
CREATE TRIGGER block_splits_no_update BEFORE UPDATE ON block_splits
BEGIN SELECT RAISE(ABORT, 'block_splits is append-only'); END;
CREATE TRIGGER block_splits_no_delete BEFORE DELETE ON block_splits
BEGIN SELECT RAISE(ABORT, 'block_splits is append-only'); END;

CREATE TABLE block_history (
  id             INTEGER NOT NULL PRIMARY KEY,
  number         INTEGER NOT NULL REFERENCES blocks (number),
  at             INTEGER NOT NULL,
  status         TEXT    NOT NULL,
  color          TEXT    NOT NULL,
  reason         TEXT
) STRICT;
CREATE INDEX block_history_by_block ON block_history (number);
CREATE TRIGGER block_history_no_update BEFORE UPDATE ON block_history
BEGIN SELECT RAISE(ABORT, 'block_history is append-only'); END;
CREATE TRIGGER block_history_no_delete BEFORE DELETE ON block_history
BEGIN SELECT RAISE(ABORT, 'block_history is append-only'); END;

-- Double entry. Lines are written first, then the transaction, which seals them: its trigger refuses a sum other
-- than zero, and the deferred foreign key refuses lines that were never sealed.
CREATE TABLE ledger_entries (
  transaction_id  INTEGER NOT NULL REFERENCES ledger_transactions (id) DEFERRABLE INITIALLY DEFERRED,
  line            INTEGER NOT NULL,
  -- The usual ones first: a long list is looked up in an index that is made for each statement.
  kind            TEXT    NOT NULL CHECK (kind = 'miner_pending' OR kind = 'miner_confirmed' OR kind IN (
    'miner_pending', 'miner_confirmed', 'miner_reserved', 'fee_pending', 'fee_confirmed', 'chain_pending', 'chain_income',
    'red_merge_income', 'payouts_sent', 'network_fees', 'adjustments')),
  account_id      INTEGER NOT NULL REFERENCES accounts (id),
  amount_hi       INTEGER NOT NULL,
  amount_mid      INTEGER NOT NULL CHECK (amount_mid BETWEEN 0 AND 9999999999),
  amount_lo       INTEGER NOT NULL CHECK (amount_lo BETWEEN 0 AND 9999999999),
  PRIMARY KEY (transaction_id, line)
) STRICT, WITHOUT ROWID;
CREATE INDEX ledger_entries_by_account ON ledger_entries (account_id, transaction_id);

-- `reference` names the cause once and for all: the same posting can't be made twice.
CREATE TABLE ledger_transactions (
  id         INTEGER NOT NULL PRIMARY KEY,
  reference  TEXT    NOT NULL UNIQUE,
  kind       TEXT    NOT NULL,
  block      BLOB,
  at         INTEGER NOT NULL
) STRICT;
CREATE INDEX ledger_transactions_by_block ON ledger_transactions (block) WHERE block IS NOT NULL;

CREATE TRIGGER ledger_entries_sealed BEFORE INSERT ON ledger_entries
WHEN EXISTS (SELECT 1 FROM ledger_transactions WHERE id = NEW.transaction_id)
BEGIN SELECT RAISE(ABORT, 'ledger transaction is sealed'); END;
CREATE TRIGGER ledger_entries_no_update BEFORE UPDATE ON ledger_entries
BEGIN SELECT RAISE(ABORT, 'ledger_entries is append-only'); END;
CREATE TRIGGER ledger_entries_no_delete BEFORE DELETE ON ledger_entries
BEGIN SELECT RAISE(ABORT, 'ledger_entries is append-only'); END;
CREATE TRIGGER ledger_transactions_no_update BEFORE UPDATE ON ledger_transactions
BEGIN SELECT RAISE(ABORT, 'ledger_transactions is append-only'); END;
CREATE TRIGGER ledger_transactions_no_delete BEFORE DELETE ON ledger_transactions
BEGIN SELECT RAISE(ABORT, 'ledger_transactions is append-only'); END;
CREATE TRIGGER ledger_transactions_balanced BEFORE INSERT ON ledger_transactions
WHEN (
  SELECT count(*) < 2
      OR (sum(amount_lo)) % 10000000000 <> 0
      OR (sum(amount_mid) + sum(amount_lo) / 10000000000) % 10000000000 <> 0
      OR sum(amount_hi) + (sum(amount_mid) + sum(amount_lo) / 10000000000) / 10000000000 <> 0
  FROM ledger_entries WHERE transaction_id = NEW.id
)
BEGIN SELECT RAISE(ABORT, 'ledger transaction does not sum to zero'); END;

-- Cached sums of the entries, kept in the same transaction and checked against them (sql/checks).
CREATE TABLE balances (
  kind        TEXT    NOT NULL,
  account_id  INTEGER NOT NULL REFERENCES accounts (id),
  amount_hi   INTEGER NOT NULL,
  amount_mid  INTEGER NOT NULL CHECK (amount_mid BETWEEN 0 AND 9999999999),
  amount_lo   INTEGER NOT NULL CHECK (amount_lo BETWEEN 0 AND 9999999999),
  PRIMARY KEY (account_id, kind)
) STRICT, WITHOUT ROWID;
