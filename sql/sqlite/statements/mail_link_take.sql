-- Each is good once. One to confirm an address that is another user's by now is not; nor one to reset a password by an address
-- that was given up.
UPDATE mail_links SET used_at = :at
WHERE digest = :digest AND purpose = :purpose AND used_at IS NULL AND expires_at > :at
  AND EXISTS (SELECT 1 FROM users AS u WHERE u.id = mail_links.user_id AND u.disabled_at IS NULL
              AND (:purpose = 'confirm' OR lower(u.email) = lower(mail_links.email)))
  AND (:purpose = 'reset'
       OR NOT EXISTS (SELECT 1 FROM users AS o WHERE o.id <> mail_links.user_id AND lower(o.email) = lower(mail_links.email)
                      AND o.email_verified_at IS NOT NULL))
