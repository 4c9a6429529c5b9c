-- Another password, for whoever reads the user's mail, which confirms the address as well. Every other link of the user ends.
WITH taken AS (
  UPDATE mail_links AS l SET used_at = $3 FROM users AS u
  WHERE l.digest = $1 AND l.purpose = 'reset' AND l.used_at IS NULL AND l.expires_at > $3
    AND u.id = l.user_id AND u.disabled_at IS NULL AND lower(u.email) = lower(l.email)
  RETURNING l.user_id
), others AS (
  UPDATE mail_links AS l SET used_at = $3 FROM taken
  WHERE l.user_id = taken.user_id AND l.used_at IS NULL AND l.digest <> $1
)
UPDATE users AS u SET password_hash = $2, updated_at = greatest(u.updated_at, $3),
  email_verified_at = CASE
    WHEN u.email_verified_at IS NULL AND EXISTS (
      SELECT 1 FROM users AS o WHERE o.id <> u.id AND lower(o.email) = lower(u.email) AND o.email_verified_at IS NOT NULL) THEN NULL
    ELSE coalesce(u.email_verified_at, $3) END
FROM taken WHERE u.id = taken.user_id RETURNING u.id::text
