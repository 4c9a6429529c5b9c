-- All links of whose link this is.
UPDATE mail_links SET used_at = :at
WHERE user_id = (SELECT user_id FROM mail_links WHERE digest = :digest) AND used_at IS NULL
