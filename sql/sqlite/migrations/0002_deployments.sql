-- Deployments of algorithms: where each stands, and the trail of everything that was done.

CREATE TABLE deployments (
  id          INTEGER NOT NULL PRIMARY KEY,
  -- A row is replaced by newer revisions only: writes may arrive out of order.
  revision    INTEGER NOT NULL,
  package     TEXT    NOT NULL CHECK (json_valid(package)),
  replaces    TEXT    NOT NULL CHECK (json_valid(replaces)),
  generation  INTEGER NOT NULL UNIQUE CHECK (generation > 1),
  plan        TEXT    NOT NULL CHECK (json_valid(plan)),
  -- The state machine (pool_domain::rollout).
  rollout     TEXT    NOT NULL CHECK (json_valid(rollout)),
  created_at  INTEGER NOT NULL,
  updated_at  INTEGER NOT NULL,
  actor       TEXT    NOT NULL
) STRICT;

CREATE TABLE deployment_trail (
  id             INTEGER NOT NULL PRIMARY KEY,
  deployment_id  INTEGER NOT NULL REFERENCES deployments (id),
  at             INTEGER NOT NULL,
  action         TEXT    NOT NULL,
  stage          TEXT    NOT NULL,
  traffic_bp     INTEGER NOT NULL CHECK (traffic_bp BETWEEN 0 AND 10000),
  actor          TEXT    NOT NULL,
  detail         TEXT    NOT NULL
) STRICT;
CREATE INDEX deployment_trail_by_deployment ON deployment_trail (deployment_id);
CREATE TRIGGER deployment_trail_no_update BEFORE UPDATE ON deployment_trail
BEGIN SELECT RAISE(ABORT, 'deployment_trail is append-only'); END;
CREATE TRIGGER deployment_trail_no_delete BEFORE DELETE ON deployment_trail
BEGIN SELECT RAISE(ABORT, 'deployment_trail is append-only'); END;
