-- People who may sign in, and which accounts they have claimed. Nothing here can be read as a secret: passwords are argon2id
-- hashes, the key of a second factor is sealed by a key that is not in the database.
CREATE TABLE users (
  id                 TEXT    NOT NULL PRIMARY KEY CHECK (length(id) = 36 AND id NOT GLOB '*[^0-9a-f-]*'),
  username           TEXT    NOT NULL CHECK (length(username) BETWEEN 3 AND 50 AND username NOT GLOB '*[^A-Za-z0-9._-]*'),
  -- May be empty: an embedded pool sends no mail, and whoever wants to be forgotten has it taken away.
  email              TEXT    CHECK (length(email) <= 254 AND email LIKE '_%@_%' AND email NOT LIKE '%@%@%'
                                    AND email NOT GLOB '*[' || char(9, 10, 11, 12, 13) || ' ]*'),
  email_verified_at  INTEGER,
  role               TEXT    NOT NULL DEFAULT 'miner' CHECK (role IN ('admin', 'operator', 'viewer', 'miner')),
  password_hash      TEXT    NOT NULL CHECK (password_hash LIKE '$argon2id$%'),
  mfa_sealed         BLOB    CHECK (length(mfa_sealed) BETWEEN 44 AND 512),
  mfa_enabled        INTEGER NOT NULL DEFAULT 0 CHECK (mfa_enabled IN (0, 1) AND (mfa_enabled = 0 OR mfa_sealed IS NOT NULL)),
  disabled_at        INTEGER,
  created_at         INTEGER NOT NULL,
  updated_at         INTEGER NOT NULL CHECK (updated_at >= created_at),
  CHECK (email_verified_at IS NULL OR email IS NOT NULL)
) STRICT;
-- Alice and alice are one person.
CREATE UNIQUE INDEX users_by_name ON users (lower(username));
CREATE UNIQUE INDEX users_by_email ON users (lower(email));

-- An account is a payout address: nobody's, or one user's. The pool's own can't be claimed.
ALTER TABLE accounts ADD COLUMN user_id TEXT REFERENCES users (id) ON DELETE SET NULL CHECK (id <> 0 OR user_id IS NULL);
CREATE INDEX accounts_by_user ON accounts (user_id) WHERE user_id IS NOT NULL;

-- From one user to another only by way of nobody: a mistake must not hand an account over.
CREATE TRIGGER accounts_no_takeover BEFORE UPDATE OF user_id ON accounts
WHEN OLD.user_id IS NOT NULL AND NEW.user_id IS NOT NULL AND OLD.user_id <> NEW.user_id
BEGIN SELECT RAISE(ABORT, 'the account is claimed by another user'); END;

-- Who claimed an account that money was booked for stays known: such a user is disabled, not deleted.
CREATE TRIGGER users_with_money_stay BEFORE DELETE ON users
WHEN EXISTS (SELECT 1 FROM accounts AS a WHERE a.user_id = OLD.id
             AND EXISTS (SELECT 1 FROM balances AS b WHERE b.account_id = a.id))
BEGIN SELECT RAISE(ABORT, 'the user has claimed an account with money history: disable the user instead'); END;
