-- People who may sign in, and which accounts they have claimed. Nothing here can be read as a secret: passwords are argon2id
-- hashes, the key of a second factor is sealed by a key that is not in the database.
CREATE TABLE users (
  id                 uuid         NOT NULL PRIMARY KEY DEFAULT gen_random_uuid(),
  username           text         NOT NULL CHECK (username ~ '^[A-Za-z0-9._-]{3,50}$'),
  -- May be empty: an embedded pool sends no mail, and whoever wants to be forgotten has it taken away.
  email              text         CHECK (length(email) <= 254 AND email ~ '^[^@[:space:]]+@[^@[:space:]]+$'),
  email_verified_at  timestamptz,
  role               text         NOT NULL DEFAULT 'miner' CHECK (role IN ('admin', 'operator', 'viewer', 'miner')),
  password_hash      text         NOT NULL CHECK (password_hash LIKE '$argon2id$%'),
  mfa_sealed         bytea        CHECK (octet_length(mfa_sealed) BETWEEN 44 AND 512),
  mfa_enabled        boolean      NOT NULL DEFAULT false CHECK (NOT mfa_enabled OR mfa_sealed IS NOT NULL),
  disabled_at        timestamptz,
  created_at         timestamptz  NOT NULL,
  updated_at         timestamptz  NOT NULL CHECK (updated_at >= created_at),
  CHECK (email_verified_at IS NULL OR email IS NOT NULL)
);
-- Alice and alice are one person.
CREATE UNIQUE INDEX users_by_name ON users (lower(username));
CREATE UNIQUE INDEX users_by_email ON users (lower(email));

-- An account is a payout address: nobody's, or one user's. The pool's own can't be claimed.
ALTER TABLE accounts ADD COLUMN user_id uuid REFERENCES users (id) ON DELETE SET NULL;
ALTER TABLE accounts ADD CONSTRAINT accounts_pool_is_nobodys CHECK (id <> 0 OR user_id IS NULL);
CREATE INDEX accounts_by_user ON accounts (user_id) WHERE user_id IS NOT NULL;

-- From one user to another only by way of nobody: a mistake must not hand an account over.
CREATE FUNCTION refuse_takeover() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'account % is claimed by another user', OLD.id;
END $$;
CREATE TRIGGER accounts_no_takeover BEFORE UPDATE OF user_id ON accounts FOR EACH ROW
WHEN (OLD.user_id IS NOT NULL AND NEW.user_id IS NOT NULL AND OLD.user_id <> NEW.user_id)
EXECUTE FUNCTION refuse_takeover();

-- Who claimed an account that money was booked for stays known: such a user is disabled, not deleted.
CREATE FUNCTION refuse_user_with_money() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM accounts AS a WHERE a.user_id = OLD.id
             AND EXISTS (SELECT 1 FROM balances AS b WHERE b.account_id = a.id)) THEN
    RAISE EXCEPTION 'user % has claimed an account with money history: disable the user instead', OLD.id;
  END IF;
  RETURN OLD;
END $$;
CREATE TRIGGER users_with_money_stay BEFORE DELETE ON users FOR EACH ROW EXECUTE FUNCTION refuse_user_with_money();
