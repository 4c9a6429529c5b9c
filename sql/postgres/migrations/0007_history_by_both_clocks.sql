-- As before, but days are counted back from the database's own date if a share claims a later one: the clock of a pool that
-- steps into the future must not cost the history. A share of the past never did.
CREATE OR REPLACE FUNCTION share_hours_day(day date, kept integer) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  past text;
  newest date := least(day, (now() AT TIME ZONE 'UTC')::date);
BEGIN
  EXECUTE format(
    'CREATE TABLE IF NOT EXISTS %I PARTITION OF share_hours FOR VALUES FROM (%L) TO (%L) WITH (fillfactor = 60, autovacuum_vacuum_scale_factor = 0.05)',
    'share_hours_' || to_char(day, 'YYYYMMDD'), day::text || ' 00:00:00+00', (day + 1)::text || ' 00:00:00+00');
  FOR past IN
    SELECT c.relname FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid
    WHERE i.inhparent = 'share_hours'::regclass AND c.relname < 'share_hours_' || to_char(newest - kept, 'YYYYMMDD')
  LOOP
    EXECUTE format('DROP TABLE %I', past);
  END LOOP;
END $$;
