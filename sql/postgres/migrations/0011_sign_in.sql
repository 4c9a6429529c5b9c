-- What signing in needs beside users: codes for when a phone is lost, tokens for scripts, and a trail of who did what.

-- The last time step whose code of the second factor was taken: none is taken twice.
ALTER TABLE users ADD COLUMN mfa_step bigint CHECK (mfa_step >= 0);

-- Single-use codes in place of the second factor; only their digests.
CREATE TABLE backup_codes (
  user_id  uuid         NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  digest   bytea        NOT NULL CHECK (octet_length(digest) = 32),
  used_at  timestamptz,
  PRIMARY KEY (user_id, digest)
);

-- Tokens for scripts: never more than their owner may do, and only what their scopes name. Only their digests.
CREATE TABLE api_tokens (
  id          text         NOT NULL PRIMARY KEY CHECK (id ~ '^[0-9a-f]{16}$'),
  user_id     uuid         NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  name        text         NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
  digest      bytea        NOT NULL CHECK (octet_length(digest) = 32),
  scopes      text         NOT NULL CHECK (scopes <> ''),
  created_at  timestamptz  NOT NULL,
  expires_at  timestamptz  NOT NULL CHECK (expires_at > created_at),
  revoked_at  timestamptz
);
CREATE INDEX api_tokens_by_user ON api_tokens (user_id);

-- Who did what, from where, and what it changed. Never changed, never removed; users are named, not referred to, since they
-- may go.
CREATE TABLE audit (
  id       bigint       NOT NULL GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at       timestamptz  NOT NULL,
  node     text         NOT NULL,
  actor    text         NOT NULL,
  address  text,
  action   text         NOT NULL CHECK (action <> ''),
  subject  text         NOT NULL,
  outcome  text         NOT NULL CHECK (outcome IN ('done', 'refused', 'failed')),
  before   json,
  after    json
);
CREATE FUNCTION refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'audit is append-only';
END $$;
CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE ON audit FOR EACH ROW EXECUTE FUNCTION refuse_audit_change();
CREATE TRIGGER audit_stays BEFORE TRUNCATE ON audit FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_change();
