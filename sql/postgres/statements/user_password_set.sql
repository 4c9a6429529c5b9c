-- A user's links end, those to confirm an address too: whoever asked for them may have known the old password.
WITH ended AS (
  UPDATE mail_links SET used_at = $3 WHERE user_id = $1::text::uuid AND used_at IS NULL
)
UPDATE users SET password_hash = $2, updated_at = greatest(updated_at, $3) WHERE id = $1::text::uuid RETURNING id::text
