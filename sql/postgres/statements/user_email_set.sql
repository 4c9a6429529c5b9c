-- An address that nobody has confirmed, or none. Links to the one before end.
WITH ended AS (
  UPDATE mail_links SET used_at = $3 WHERE user_id = $1::text::uuid AND used_at IS NULL
)
UPDATE users SET email = $2, email_verified_at = NULL, updated_at = greatest(updated_at, $3) WHERE id = $1::text::uuid RETURNING id::text
