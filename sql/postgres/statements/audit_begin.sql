-- Audits read everything, and take as long as that takes.
SET statement_timeout = '30min'
