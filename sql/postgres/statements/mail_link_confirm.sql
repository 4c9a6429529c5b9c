-- The address that the link was sent to is the user's, unless it is confirmed to be another's.
WITH taken AS (
  UPDATE mail_links AS l SET used_at = $2 FROM users AS u
  WHERE l.digest = $1 AND l.purpose = 'confirm' AND l.used_at IS NULL AND l.expires_at > $2
    AND u.id = l.user_id AND u.disabled_at IS NULL
    AND NOT EXISTS (SELECT 1 FROM users AS o WHERE o.id <> l.user_id AND lower(o.email) = lower(l.email)
                    AND o.email_verified_at IS NOT NULL)
  RETURNING l.user_id, l.email
)
UPDATE users AS u SET email = taken.email, email_verified_at = $2, updated_at = greatest(u.updated_at, $2)
FROM taken WHERE u.id = taken.user_id RETURNING u.id::text
