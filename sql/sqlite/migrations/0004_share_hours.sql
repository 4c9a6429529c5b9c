-- Accepted shares by worker, algorithm and hour (number of the hour since 1970): the history of hash rates.

CREATE TABLE share_hours (
  worker_id  INTEGER NOT NULL REFERENCES workers (id),
  algorithm  TEXT    NOT NULL,
  hour       INTEGER NOT NULL,
  accepted   INTEGER NOT NULL CHECK (accepted > 0),
  work_hi    INTEGER NOT NULL CHECK (work_hi >= 0),
  work_mid   INTEGER NOT NULL CHECK (work_mid BETWEEN 0 AND 9999999999),
  work_lo    INTEGER NOT NULL CHECK (work_lo BETWEEN 0 AND 9999999999),
  PRIMARY KEY (worker_id, algorithm, hour)
) STRICT, WITHOUT ROWID;
