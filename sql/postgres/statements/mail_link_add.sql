-- A new link to confirm an address is good in place of all earlier ones. What has long ended is forgotten.
WITH gone AS (
  DELETE FROM mail_links WHERE user_id = $2::text::uuid AND (expires_at < $5 OR purpose = 'confirm' AND $3::text = 'confirm')
)
INSERT INTO mail_links (digest, user_id, purpose, email, created_at, expires_at)
VALUES ($1, $2::text::uuid, $3, $4, $5, $6) RETURNING user_id::text
