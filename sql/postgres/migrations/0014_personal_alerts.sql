-- What a user wants to hear of an account, and where. It counts for as long as the account is that user's.
CREATE TABLE personal_alerts (
  account_id  bigint       NOT NULL PRIMARY KEY REFERENCES accounts (id),
  user_id     uuid         NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  settings    json         NOT NULL,
  -- Workers that were connected: after a restart, those who do not come back are missed.
  workers     json         NOT NULL DEFAULT '[]',
  -- What was paid before is no news.
  created_at  timestamptz  NOT NULL,
  updated_at  timestamptz  NOT NULL
);

-- One row: the step of a payout up to which people were told.
CREATE TABLE personal_told (
  id      integer  NOT NULL PRIMARY KEY CHECK (id = 1),
  payout  bigint   NOT NULL
);
INSERT INTO personal_told (id, payout) SELECT 1, coalesce(max(id), 0) FROM payout_history;
