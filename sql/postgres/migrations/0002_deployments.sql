-- Deployments of algorithms: where each stands, and the trail of everything that was done. Each node (pool process) swaps
-- its own algorithm, and numbers its deployments by itself.

CREATE TABLE deployments (
  node        text         NOT NULL,
  id          bigint       NOT NULL CHECK (id > 0),
  -- A row is replaced by newer revisions only: writes may arrive out of order.
  revision    bigint       NOT NULL,
  package     json         NOT NULL,
  replaces    json         NOT NULL,
  generation  bigint       NOT NULL CHECK (generation > 1),
  plan        json         NOT NULL,
  -- The state machine (pool_domain::rollout).
  rollout     json         NOT NULL,
  created_at  timestamptz  NOT NULL,
  updated_at  timestamptz  NOT NULL,
  actor       text         NOT NULL,
  PRIMARY KEY (node, id),
  UNIQUE (node, generation)
);

CREATE TABLE deployment_trail (
  id             bigint       NOT NULL GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  node           text         NOT NULL,
  deployment_id  bigint       NOT NULL,
  at             timestamptz  NOT NULL,
  action         text         NOT NULL,
  stage          text         NOT NULL,
  traffic_bp     integer      NOT NULL CHECK (traffic_bp BETWEEN 0 AND 10000),
  actor          text         NOT NULL,
  detail         text         NOT NULL,
  FOREIGN KEY (node, deployment_id) REFERENCES deployments (node, id)
);
CREATE INDEX deployment_trail_by_deployment ON deployment_trail (node, deployment_id);
CREATE TRIGGER deployment_trail_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON deployment_trail
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
