-- Corrections by an operator: who, why, and under which reference, so that the same one is never made twice. The money is an
-- ordinary ledger transaction, `adjustment:ID`.
CREATE TABLE adjustments (
  id          bigint         NOT NULL GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  reference   text           NOT NULL UNIQUE,
  account_id  bigint         NOT NULL REFERENCES accounts (id),
  amount      numeric(39,0)  NOT NULL CHECK (amount <> 0),
  author      text           NOT NULL,
  reason      text           NOT NULL,
  below_zero  boolean        NOT NULL,
  at          timestamptz    NOT NULL
);
CREATE TRIGGER adjustments_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON adjustments
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
