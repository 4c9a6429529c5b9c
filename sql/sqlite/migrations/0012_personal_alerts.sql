-- What a user wants to hear of an account, and where. It counts for as long as the account is that user's.
CREATE TABLE personal_alerts (
  account_id  INTEGER NOT NULL PRIMARY KEY REFERENCES accounts (id),
  user_id     TEXT    NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  settings    TEXT    NOT NULL CHECK (json_valid(settings)),
  -- Workers that were connected: after a restart, those who do not come back are missed.
  workers     TEXT    NOT NULL DEFAULT '[]' CHECK (json_valid(workers)),
  -- What was paid before is no news.
  created_at  INTEGER NOT NULL,
  updated_at  INTEGER NOT NULL
) STRICT;

-- One row: the step of a payout up to which people were told.
CREATE TABLE personal_told (
  id      INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
  payout  INTEGER NOT NULL
) STRICT;
INSERT INTO personal_told (id, payout) SELECT 1, coalesce(max(id), 0) FROM payout_history;
