-- A block of thousands of accounts costs what its rows cost. Entries are kept sixty-four accounts to a row, and the balances
-- of an account in one row. Nobody but this program may write meanwhile: one of an earlier version finds its tables gone, and stops.
LOCK TABLE ledger_transactions, ledger_entries, balances IN ACCESS EXCLUSIVE MODE;

-- What was written until now stays as it is, and where: nothing is added to it any more.
ALTER TABLE ledger_entries RENAME TO ledger_rows;
DROP TRIGGER ledger_entries_checked ON ledger_rows;
DROP FUNCTION check_entries();
DROP TRIGGER ledger_entries_append_only ON ledger_rows;
CREATE TRIGGER ledger_rows_closed BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON ledger_rows
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- The entries of a transaction: those of one kind whose accounts are numbered alike but for the last six bits (`part` is the
-- rest). An account has one entry of a kind in a transaction at most.
CREATE TABLE ledger_lines (
  transaction_id  bigint             NOT NULL,
  kind            text               NOT NULL CHECK (kind IN (
    'miner_pending', 'miner_confirmed', 'miner_reserved', 'fee_pending', 'fee_confirmed', 'chain_pending', 'chain_income',
    'red_merge_income', 'payouts_sent', 'network_fees', 'adjustments')),
  part            bigint             NOT NULL,
  account_ids     bigint[]           NOT NULL CHECK (array_ndims(account_ids) = 1 AND array_lower(account_ids, 1) = 1),
  amounts         numeric(39,0)[]    NOT NULL CHECK (array_ndims(amounts) = 1 AND array_lower(amounts, 1) = 1),
  CHECK (cardinality(account_ids) = cardinality(amounts)),
  CHECK (array_position(account_ids, NULL) IS NULL AND array_position(amounts, NULL) IS NULL),
  -- Each account in the row where it is looked for.
  CHECK (part * 64 <= ALL (account_ids) AND part * 64 + 63 >= ALL (account_ids)),
  PRIMARY KEY (transaction_id, kind, part)
);
-- Where an account's credits are looked for (credits_page).
CREATE INDEX ledger_lines_credits ON ledger_lines (part, transaction_id) WHERE kind = 'miner_pending';
CREATE TRIGGER ledger_lines_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_lines
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- As before: all entries of a transaction come in one statement, in the database transaction that also wrote its header, and
-- sum to zero; and each is about an account that there is.
CREATE FUNCTION check_lines() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  wrong record;
BEGIN
  SELECT a.transaction_id, a.total <> 0 OR a.entries < 2 AS unbalanced INTO wrong
  FROM (
    SELECT l.transaction_id, sum((SELECT sum(amount) FROM unnest(l.amounts) AS amount)) AS total, sum(cardinality(l.amounts)) AS entries
    FROM added AS l GROUP BY l.transaction_id
  ) AS a
  LEFT JOIN ledger_transactions AS t ON t.id = a.transaction_id AND t.xmin = pg_current_xact_id()::xid
  WHERE a.total <> 0 OR a.entries < 2 OR t.id IS NULL LIMIT 1;
  IF FOUND THEN
    IF wrong.unbalanced THEN
      RAISE EXCEPTION 'ledger transaction % does not sum to zero', wrong.transaction_id;
    END IF;
    RAISE EXCEPTION 'ledger transaction % is sealed or does not exist', wrong.transaction_id;
  END IF;
  SELECT u.account_id INTO wrong FROM added AS l CROSS JOIN LATERAL unnest(l.account_ids) AS u (account_id)
  WHERE NOT EXISTS (SELECT 1 FROM accounts AS owner WHERE owner.id = u.account_id) LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'account % does not exist', wrong.account_id;
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER ledger_lines_checked AFTER INSERT ON ledger_lines
REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION check_lines();

CREATE OR REPLACE FUNCTION check_has_entries() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NOT EXISTS (SELECT 1 FROM ledger_lines WHERE transaction_id = NEW.id) THEN
    RAISE EXCEPTION 'ledger transaction % has no entries, so it does not sum to zero', NEW.id;
  END IF;
  RETURN NULL;
END $$;

-- All entries there are, one to a row. Who asks for those of one transaction asks the tables: a join is not handed down.
CREATE VIEW ledger_entries (transaction_id, kind, account_id, amount) AS
SELECT transaction_id, kind, account_id, amount FROM ledger_rows
UNION ALL
SELECT l.transaction_id, l.kind, u.account_id, u.amount
FROM ledger_lines AS l CROSS JOIN LATERAL unnest(l.account_ids, l.amounts) AS u (account_id, amount);

-- The cached sums: of each account in one row (NULL: it never had such an entry), of the pool itself by kind.
CREATE TABLE account_balances (
  account_id    bigint         NOT NULL PRIMARY KEY REFERENCES accounts (id) CHECK (account_id <> 0),
  pending       numeric(39,0),
  confirmed     numeric(39,0),
  reserved      numeric(39,0),
  paid          numeric(39,0),
  -- The transactions in `ledger_lines` between which its credits are.
  first_credit  bigint,
  last_credit   bigint
) WITH (fillfactor = 60, autovacuum_vacuum_scale_factor = 0.05);
CREATE TABLE pool_balances (
  kind    text           NOT NULL PRIMARY KEY,
  amount  numeric(39,0)  NOT NULL
) WITH (fillfactor = 60);

INSERT INTO account_balances (account_id, pending, confirmed, reserved, paid)
SELECT account_id,
       max(amount) FILTER (WHERE kind = 'miner_pending'), max(amount) FILTER (WHERE kind = 'miner_confirmed'),
       max(amount) FILTER (WHERE kind = 'miner_reserved'), max(amount) FILTER (WHERE kind = 'payouts_sent')
FROM balances WHERE account_id <> 0 GROUP BY account_id ORDER BY account_id;
INSERT INTO pool_balances (kind, amount) SELECT kind, amount FROM balances WHERE account_id = 0;

-- No row of it may get lost on the way.
DO $$
BEGIN
  IF (SELECT count(*) FROM balances) <> (SELECT count(pending) + count(confirmed) + count(reserved) + count(paid) FROM account_balances)
                                        + (SELECT count(*) FROM pool_balances) THEN
    RAISE EXCEPTION 'the table of balances holds kinds that this version does not know';
  END IF;
END $$;
DROP TABLE balances;

CREATE VIEW balances (kind, account_id, amount) AS
SELECT k.kind, b.account_id, k.amount
FROM account_balances AS b CROSS JOIN LATERAL (VALUES
  ('miner_pending', b.pending), ('miner_confirmed', b.confirmed), ('miner_reserved', b.reserved), ('payouts_sent', b.paid)
) AS k (kind, amount)
WHERE k.amount IS NOT NULL
UNION ALL
SELECT kind, 0, amount FROM pool_balances;
