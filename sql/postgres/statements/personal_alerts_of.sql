SELECT a.address, u.id::text, u.username, CASE WHEN u.email_verified_at IS NOT NULL THEN u.email END, p.settings::text, p.workers::text
FROM accounts AS a JOIN users AS u ON u.id = a.user_id AND u.disabled_at IS NULL
LEFT JOIN personal_alerts AS p ON p.account_id = a.id AND p.user_id = a.user_id
WHERE a.address = $1 AND a.user_id = $2::text::uuid
