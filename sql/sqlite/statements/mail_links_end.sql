-- All links of a user.
UPDATE mail_links SET used_at = :at WHERE user_id = :user_id AND used_at IS NULL
