-- A new link to confirm an address is good in place of all earlier ones. What has long ended is forgotten.
DELETE FROM mail_links WHERE user_id = :user_id AND (expires_at < :at OR purpose = 'confirm' AND :purpose = 'confirm')
