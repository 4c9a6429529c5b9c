-- Payouts: what is on its way to miners, and every step of it. The same entities as in sql/sqlite.

-- One row. `token` fences dispatchers: each that takes over draws the next one, and writes under the newest only.
CREATE TABLE payout_control (
  id     integer  NOT NULL PRIMARY KEY CHECK (id = 1),
  token  bigint   NOT NULL CHECK (token >= 0),
  -- Why all payouts are held, if they are.
  hold   text
);
INSERT INTO payout_control (id, token) VALUES (1, 0);

-- What was decided about single accounts.
CREATE TABLE payout_terms (
  account_id  bigint  NOT NULL PRIMARY KEY REFERENCES accounts (id),
  threshold   numeric(39,0) CHECK (threshold >= 0),
  hold        text,
  -- Why the chain refuses its address.
  set_aside   text
);

CREATE TABLE payouts (
  id          bigint       NOT NULL PRIMARY KEY,
  state       text         NOT NULL CHECK (state IN ('reserved', 'signed', 'broadcast', 'confirming', 'settled', 'returned')),
  hold        text,
  reason      text,
  created_at  timestamptz  NOT NULL,
  updated_at  timestamptz  NOT NULL,
  ended_at    timestamptz
);
CREATE INDEX payouts_open ON payouts (id) WHERE state NOT IN ('settled', 'returned');
CREATE INDEX payouts_by_time ON payouts (created_at);

CREATE TABLE payout_items (
  payout_id   bigint         NOT NULL REFERENCES payouts (id),
  line        integer        NOT NULL,
  account_id  bigint         NOT NULL REFERENCES accounts (id),
  amount      numeric(39,0)  NOT NULL CHECK (amount > 0),
  PRIMARY KEY (payout_id, line),
  UNIQUE (payout_id, account_id)
);
CREATE INDEX payout_items_by_account ON payout_items (account_id, payout_id);

-- What was signed: once for each payout, and these bytes are all that is ever sent for it.
CREATE TABLE payout_transactions (
  payout_id  bigint         NOT NULL PRIMARY KEY REFERENCES payouts (id),
  txid       text           NOT NULL UNIQUE,
  bytes      bytea          NOT NULL,
  fee        numeric(39,0)  NOT NULL CHECK (fee >= 0),
  signed_at  timestamptz    NOT NULL
);

-- What it uses up (an output, a nonce). `live` ends when the payout is returned: until then nothing else may use it.
CREATE TABLE payout_spends (
  payout_id  bigint   NOT NULL REFERENCES payouts (id),
  spend      text     COLLATE "C" NOT NULL,
  live       boolean  NOT NULL,
  PRIMARY KEY (payout_id, spend)
);
CREATE UNIQUE INDEX payout_spends_once ON payout_spends (spend) WHERE live;

CREATE TABLE payout_history (
  id         bigint       NOT NULL GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  payout_id  bigint       NOT NULL REFERENCES payouts (id),
  at         timestamptz  NOT NULL,
  state      text         NOT NULL,
  detail     text         NOT NULL
);
CREATE INDEX payout_history_by_payout ON payout_history (payout_id);

-- What operators did.
CREATE TABLE payout_audit (
  id       bigint       NOT NULL GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at       timestamptz  NOT NULL,
  actor    text         NOT NULL,
  action   text         NOT NULL,
  subject  text         NOT NULL,
  detail   text         NOT NULL
);

-- The rules of money, kept by the database itself.
CREATE FUNCTION check_payout() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.state IN ('settled', 'returned') AND NEW.state <> OLD.state THEN
    RAISE EXCEPTION 'the payout has ended';
  END IF;
  IF NEW.state IN ('signed', 'broadcast', 'confirming', 'settled')
     AND NOT EXISTS (SELECT 1 FROM payout_transactions WHERE payout_id = NEW.id) THEN
    RAISE EXCEPTION 'the payout has no persisted transaction';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER payouts_checked BEFORE UPDATE ON payouts FOR EACH ROW EXECUTE FUNCTION check_payout();
CREATE TRIGGER payouts_no_delete BEFORE DELETE OR TRUNCATE ON payouts
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER payout_items_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON payout_items
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER payout_transactions_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON payout_transactions
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER payout_history_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON payout_history
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER payout_audit_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON payout_audit
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE FUNCTION check_spend() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.spend <> OLD.spend OR NEW.payout_id <> OLD.payout_id OR (NEW.live AND NOT OLD.live) THEN
    RAISE EXCEPTION 'payout_spends is append-only';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER payout_spends_only_end BEFORE UPDATE ON payout_spends FOR EACH ROW EXECUTE FUNCTION check_spend();
CREATE TRIGGER payout_spends_no_delete BEFORE DELETE OR TRUNCATE ON payout_spends
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
