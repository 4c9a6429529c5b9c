-- Accepted shares by worker, algorithm and hour: the history of hash rates. One partition a day; what is older than is kept is
-- dropped with its partition, never deleted row by row. Workers are never deleted: no foreign key slows the feed down.

CREATE TABLE share_hours (
  worker_id  bigint         NOT NULL,
  algorithm  text           NOT NULL,
  hour       timestamptz    NOT NULL,
  accepted   bigint         NOT NULL CHECK (accepted > 0),
  work       numeric(39,0)  NOT NULL CHECK (work >= 0),
  PRIMARY KEY (worker_id, algorithm, hour)
) PARTITION BY RANGE (hour);

-- Makes the partition of a day, and drops those of days that are `kept` days older. Names sort as their days do.
CREATE FUNCTION share_hours_day(day date, kept integer) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  past text;
BEGIN
  EXECUTE format(
    'CREATE TABLE IF NOT EXISTS %I PARTITION OF share_hours FOR VALUES FROM (%L) TO (%L) WITH (fillfactor = 60, autovacuum_vacuum_scale_factor = 0.05)',
    'share_hours_' || to_char(day, 'YYYYMMDD'), day::text || ' 00:00:00+00', (day + 1)::text || ' 00:00:00+00');
  FOR past IN
    SELECT c.relname FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid
    WHERE i.inhparent = 'share_hours'::regclass AND c.relname < 'share_hours_' || to_char(day - kept, 'YYYYMMDD')
  LOOP
    EXECUTE format('DROP TABLE %I', past);
  END LOOP;
END $$;
