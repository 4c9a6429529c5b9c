-- The books are read as they were at one moment, and take as long as that takes (an audit reads the journal meanwhile).
SET statement_timeout = '30min';
SET idle_in_transaction_session_timeout = 0;
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY
