-- What signing in needs beside users: codes for when a phone is lost, tokens for scripts, and a trail of who did what.

-- The last time step whose code of the second factor was taken: none is taken twice.
ALTER TABLE users ADD COLUMN mfa_step INTEGER CHECK (mfa_step >= 0);

-- Single-use codes in place of the second factor; only their digests.
CREATE TABLE backup_codes (
  user_id  TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  digest   BLOB NOT NULL CHECK (length(digest) = 32),
  used_at  INTEGER,
  PRIMARY KEY (user_id, digest)
) STRICT, WITHOUT ROWID;

-- Tokens for scripts: never more than their owner may do, and only what their scopes name. Only their digests.
CREATE TABLE api_tokens (
  id          TEXT    NOT NULL PRIMARY KEY CHECK (length(id) = 16 AND id NOT GLOB '*[^0-9a-f]*'),
  user_id     TEXT    NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  name        TEXT    NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
  digest      BLOB    NOT NULL CHECK (length(digest) = 32),
  scopes      TEXT    NOT NULL CHECK (scopes <> ''),
  created_at  INTEGER NOT NULL,
  expires_at  INTEGER NOT NULL CHECK (expires_at > created_at),
  revoked_at  INTEGER
) STRICT;
CREATE INDEX api_tokens_by_user ON api_tokens (user_id);

-- Who did what, from where, and what it changed. Never changed, never removed; users are named, not referred to, since they
-- may go.
CREATE TABLE audit (
  id       INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
  at       INTEGER NOT NULL,
  node     TEXT    NOT NULL,
  actor    TEXT    NOT NULL,
  address  TEXT,
  action   TEXT    NOT NULL CHECK (action <> ''),
  subject  TEXT    NOT NULL,
  outcome  TEXT    NOT NULL CHECK (outcome IN ('done', 'refused', 'failed')),
  before   TEXT,
  after    TEXT
) STRICT;
CREATE TRIGGER audit_not_changed BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'audit is append-only'); END;
CREATE TRIGGER audit_not_removed BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'audit is append-only'); END;
