-- The last admin who may sign in stays able to.
UPDATE users SET disabled_at = $2::timestamptz, updated_at = greatest(updated_at, $3)
WHERE id = $1::text::uuid
  AND ($2::timestamptz IS NULL OR role <> 'admin' OR disabled_at IS NOT NULL
       OR EXISTS (SELECT 1 FROM users AS o WHERE o.role = 'admin' AND o.disabled_at IS NULL AND o.id <> users.id))
RETURNING id::text
