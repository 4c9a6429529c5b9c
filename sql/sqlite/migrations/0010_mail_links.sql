-- Links in mails: to confirm an address, or to set another password. Only their digests; each is good once, and not for long.
CREATE TABLE mail_links (
  digest      BLOB    NOT NULL PRIMARY KEY CHECK (length(digest) = 32),
  user_id     TEXT    NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  purpose     TEXT    NOT NULL CHECK (purpose IN ('confirm', 'reset')),
  -- Where it was sent to: what it confirms.
  email       TEXT    NOT NULL CHECK (length(email) <= 254),
  created_at  INTEGER NOT NULL,
  expires_at  INTEGER NOT NULL CHECK (expires_at > created_at),
  used_at     INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX mail_links_by_user ON mail_links (user_id);

-- An address is one user's once it is confirmed. Before that anybody may have typed it: to refuse it would tell strangers that
-- somebody has it, and would let them keep its owner out.
DROP INDEX users_by_email;
CREATE UNIQUE INDEX users_by_email ON users (lower(email)) WHERE email_verified_at IS NOT NULL;
CREATE INDEX users_by_any_email ON users (lower(email)) WHERE email IS NOT NULL;
