SELECT current_setting('server_version'), current_database()::text, pg_is_in_recovery()
