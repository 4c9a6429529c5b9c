INSERT INTO personal_alerts (account_id, user_id, settings, created_at, updated_at)
SELECT id, user_id, :settings, :at, :at FROM accounts WHERE address = :address AND user_id = :user_id
ON CONFLICT (account_id) DO UPDATE SET
  settings = excluded.settings, updated_at = excluded.updated_at,
  workers = CASE WHEN personal_alerts.user_id = excluded.user_id THEN personal_alerts.workers ELSE '[]' END,
  created_at = CASE WHEN personal_alerts.user_id = excluded.user_id THEN personal_alerts.created_at ELSE excluded.created_at END,
  user_id = excluded.user_id
