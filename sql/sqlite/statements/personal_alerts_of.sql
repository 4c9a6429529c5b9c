SELECT a.address, u.id, u.username, CASE WHEN u.email_verified_at IS NOT NULL THEN u.email END, p.settings, p.workers
FROM accounts AS a JOIN users AS u ON u.id = a.user_id AND u.disabled_at IS NULL
LEFT JOIN personal_alerts AS p ON p.account_id = a.id AND p.user_id = a.user_id
WHERE a.address = :address AND a.user_id = :user_id
