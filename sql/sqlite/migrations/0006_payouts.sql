-- Payouts: what is on its way to miners, and every step of it. Quantities are (hi, mid, lo) with base 10^10: see sql/README.md.

-- One row. `token` fences dispatchers: each that takes over draws the next one, and writes under the newest only.
CREATE TABLE payout_control (
  id     INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
  token  INTEGER NOT NULL CHECK (token >= 0),
  -- Why all payouts are held, if they are.
  hold   TEXT
) STRICT;
INSERT INTO payout_control (id, token) VALUES (1, 0);

-- What was decided about single accounts.
CREATE TABLE payout_terms (
  account_id     INTEGER NOT NULL PRIMARY KEY REFERENCES accounts (id),
  threshold_hi   INTEGER CHECK (threshold_hi >= 0),
  threshold_mid  INTEGER CHECK (threshold_mid BETWEEN 0 AND 9999999999),
  threshold_lo   INTEGER CHECK (threshold_lo BETWEEN 0 AND 9999999999),
  hold           TEXT,
  -- Why the chain refuses its address.
  set_aside      TEXT
) STRICT;

CREATE TABLE payouts (
  id          INTEGER NOT NULL PRIMARY KEY,
  state       TEXT    NOT NULL CHECK (state IN ('reserved', 'signed', 'broadcast', 'confirming', 'settled', 'returned')),
  hold        TEXT,
  reason      TEXT,
  created_at  INTEGER NOT NULL,
  updated_at  INTEGER NOT NULL,
  ended_at    INTEGER
) STRICT;
CREATE INDEX payouts_open ON payouts (id) WHERE state NOT IN ('settled', 'returned');
CREATE INDEX payouts_by_time ON payouts (created_at);

CREATE TABLE payout_items (
  payout_id   INTEGER NOT NULL REFERENCES payouts (id),
  line        INTEGER NOT NULL,
  account_id  INTEGER NOT NULL REFERENCES accounts (id),
  amount_hi   INTEGER NOT NULL CHECK (amount_hi >= 0),
  amount_mid  INTEGER NOT NULL CHECK (amount_mid BETWEEN 0 AND 9999999999),
  amount_lo   INTEGER NOT NULL CHECK (amount_lo BETWEEN 0 AND 9999999999),
  PRIMARY KEY (payout_id, line),
  UNIQUE (payout_id, account_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX payout_items_by_account ON payout_items (account_id, payout_id);

-- What was signed: once for each payout, and these bytes are all that is ever sent for it.
CREATE TABLE payout_transactions (
  payout_id  INTEGER NOT NULL PRIMARY KEY REFERENCES payouts (id),
  txid       TEXT    NOT NULL UNIQUE,
  bytes      BLOB    NOT NULL,
  fee_hi     INTEGER NOT NULL CHECK (fee_hi >= 0),
  fee_mid    INTEGER NOT NULL CHECK (fee_mid BETWEEN 0 AND 9999999999),
  fee_lo     INTEGER NOT NULL CHECK (fee_lo BETWEEN 0 AND 9999999999),
  signed_at  INTEGER NOT NULL
) STRICT;

-- What it uses up (an output, a nonce). `live` ends when the payout is returned: until then nothing else may use it.
CREATE TABLE payout_spends (
  payout_id  INTEGER NOT NULL REFERENCES payouts (id),
  spend      TEXT    NOT NULL,
  live       INTEGER NOT NULL CHECK (live IN (0, 1)),
  PRIMARY KEY (payout_id, spend)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX payout_spends_once ON payout_spends (spend) WHERE live = 1;

CREATE TABLE payout_history (
  id         INTEGER NOT NULL PRIMARY KEY,
  payout_id  INTEGER NOT NULL REFERENCES payouts (id),
  at         INTEGER NOT NULL,
  state      TEXT    NOT NULL,
  detail     TEXT    NOT NULL
) STRICT;
CREATE INDEX payout_history_by_payout ON payout_history (payout_id);

-- What operators did.
CREATE TABLE payout_audit (
  id       INTEGER NOT NULL PRIMARY KEY,
  at       INTEGER NOT NULL,
  actor    TEXT    NOT NULL,
  action   TEXT    NOT NULL,
  subject  TEXT    NOT NULL,
  detail   TEXT    NOT NULL
) STRICT;

-- The rules of money, kept by the database itself.
CREATE TRIGGER payouts_end_once BEFORE UPDATE OF state ON payouts
WHEN OLD.state IN ('settled', 'returned') AND NEW.state <> OLD.state
BEGIN SELECT RAISE(ABORT, 'the payout has ended'); END;
CREATE TRIGGER payouts_persisted_before_sent BEFORE UPDATE OF state ON payouts
WHEN NEW.state IN ('signed', 'broadcast', 'confirming', 'settled')
  AND NOT EXISTS (SELECT 1 FROM payout_transactions WHERE payout_id = NEW.id)
BEGIN SELECT RAISE(ABORT, 'the payout has no persisted transaction'); END;
CREATE TRIGGER payouts_no_delete BEFORE DELETE ON payouts
BEGIN SELECT RAISE(ABORT, 'payouts is append-only'); END;
CREATE TRIGGER payout_items_no_update BEFORE UPDATE ON payout_items
BEGIN SELECT RAISE(ABORT, 'payout_items is append-only'); END;
CREATE TRIGGER payout_items_no_delete BEFORE DELETE ON payout_items
BEGIN SELECT RAISE(ABORT, 'payout_items is append-only'); END;
CREATE TRIGGER payout_transactions_no_update BEFORE UPDATE ON payout_transactions
BEGIN SELECT RAISE(ABORT, 'payout_transactions is append-only'); END;
CREATE TRIGGER payout_transactions_no_delete BEFORE DELETE ON payout_transactions
BEGIN SELECT RAISE(ABORT, 'payout_transactions is append-only'); END;
CREATE TRIGGER payout_history_no_update BEFORE UPDATE ON payout_history
BEGIN SELECT RAISE(ABORT, 'payout_history is append-only'); END;
CREATE TRIGGER payout_history_no_delete BEFORE DELETE ON payout_history
BEGIN SELECT RAISE(ABORT, 'payout_history is append-only'); END;
CREATE TRIGGER payout_audit_no_update BEFORE UPDATE ON payout_audit
BEGIN SELECT RAISE(ABORT, 'payout_audit is append-only'); END;
CREATE TRIGGER payout_audit_no_delete BEFORE DELETE ON payout_audit
BEGIN SELECT RAISE(ABORT, 'payout_audit is append-only'); END;
CREATE TRIGGER payout_spends_only_end BEFORE UPDATE ON payout_spends
WHEN NEW.spend <> OLD.spend OR NEW.payout_id <> OLD.payout_id OR NEW.live > OLD.live
BEGIN SELECT RAISE(ABORT, 'payout_spends is append-only'); END;
CREATE TRIGGER payout_spends_no_delete BEFORE DELETE ON payout_spends
BEGIN SELECT RAISE(ABORT, 'payout_spends is append-only'); END;
