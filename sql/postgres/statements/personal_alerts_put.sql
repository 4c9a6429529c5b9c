INSERT INTO personal_alerts (account_id, user_id, settings, created_at, updated_at)
SELECT id, user_id, $3::text::json, $4, $4 FROM accounts WHERE address = $1 AND user_id = $2::text::uuid
ON CONFLICT (account_id) DO UPDATE SET
  settings = EXCLUDED.settings, updated_at = EXCLUDED.updated_at,
  workers = CASE WHEN personal_alerts.user_id = EXCLUDED.user_id THEN personal_alerts.workers ELSE '[]' END,
  created_at = CASE WHEN personal_alerts.user_id = EXCLUDED.user_id THEN personal_alerts.created_at ELSE EXCLUDED.created_at END,
  user_id = EXCLUDED.user_id
RETURNING account_id
