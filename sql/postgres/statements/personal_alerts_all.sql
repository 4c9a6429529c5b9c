SELECT a.address, u.id::text, u.username, CASE WHEN u.email_verified_at IS NOT NULL THEN u.email END, p.settings::text, p.workers::text
FROM accounts AS a JOIN users AS u ON u.id = a.user_id AND u.disabled_at IS NULL
JOIN personal_alerts AS p ON p.account_id = a.id AND p.user_id = a.user_id
ORDER BY a.id LIMIT 10000
