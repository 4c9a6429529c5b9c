-- The last admin who may sign in stays one.
UPDATE users SET role = :role, updated_at = max(updated_at, :at)
WHERE id = :id
  AND (:role = 'admin' OR role <> 'admin' OR disabled_at IS NOT NULL
       OR EXISTS (SELECT 1 FROM users AS o WHERE o.role = 'admin' AND o.disabled_at IS NULL AND o.id <> users.id))
