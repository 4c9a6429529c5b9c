-- Corrections by an operator: who, why, and under which reference, so that the same one is never made twice. The money is an
-- ordinary ledger transaction, `adjustment:ID`.
CREATE TABLE adjustments (
  id          INTEGER NOT NULL PRIMARY KEY,
  reference   TEXT    NOT NULL UNIQUE,
  account_id  INTEGER NOT NULL REFERENCES accounts (id),
  amount_hi   INTEGER NOT NULL,
  amount_mid  INTEGER NOT NULL CHECK (amount_mid BETWEEN 0 AND 9999999999),
  amount_lo   INTEGER NOT NULL CHECK (amount_lo BETWEEN 0 AND 9999999999),
  author      TEXT    NOT NULL,
  reason      TEXT    NOT NULL,
  below_zero  INTEGER NOT NULL CHECK (below_zero IN (0, 1)),
  at          INTEGER NOT NULL
) STRICT;
CREATE TRIGGER adjustments_no_update BEFORE UPDATE ON adjustments
BEGIN SELECT RAISE(ABORT, 'adjustments is append-only'); END;
CREATE TRIGGER adjustments_no_delete BEFORE DELETE ON adjustments
BEGIN SELECT RAISE(ABORT, 'adjustments is append-only'); END;
