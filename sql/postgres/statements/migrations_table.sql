CREATE TABLE IF NOT EXISTS schema_migrations (
  version     bigint       NOT NULL PRIMARY KEY,
  name        text         NOT NULL,
  checksum    text         NOT NULL,
  applied_at  timestamptz  NOT NULL
)
