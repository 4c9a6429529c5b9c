-- Every connection. A commit is on disk when it is answered; a client that vanished is noticed within half a minute.
SET synchronous_commit = on;
SET timezone = 'UTC';
SET lock_timeout = '5s';
SET idle_in_transaction_session_timeout = '60s';
SET tcp_keepalives_idle = 15;
SET tcp_keepalives_interval = 5;
SET tcp_keepalives_count = 3
