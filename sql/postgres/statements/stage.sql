-- Where COPY puts what a commit merges into tables; emptied by each commit.
CREATE TEMPORARY TABLE stage_shares (
  worker_id      bigint         NOT NULL,
  algorithm      text           NOT NULL,
  accepted       bigint         NOT NULL,
  work           numeric(39,0)  NOT NULL,
  last_share_at  timestamptz    NOT NULL
) ON COMMIT DELETE ROWS;
CREATE TEMPORARY TABLE stage_blocks (
  line           integer        NOT NULL,
  hash           bytea          NOT NULL,
  node           text           NOT NULL,
  candidate      bigint         NOT NULL,
  candidate_seq  bigint         NOT NULL,
  anchor_seq     bigint,
  fallback_seq   bigint         NOT NULL,
  algorithm      text           NOT NULL,
  network_work   numeric(39,0)  NOT NULL,
  height         bigint,
  worker_id      bigint         NOT NULL,
  found_at       timestamptz    NOT NULL,
  status         text           NOT NULL,
  color          text           NOT NULL,
  confirmations  bigint         NOT NULL,
  reward         numeric(39,0),
  income         numeric(39,0),
  merging_block  bytea,
  life           text           NOT NULL,
  income_life    text           NOT NULL,
  reason         text,
  updated_at     timestamptz    NOT NULL
) ON COMMIT DELETE ROWS
