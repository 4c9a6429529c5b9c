WITH off AS (
  UPDATE users SET mfa_enabled = false, mfa_sealed = NULL, mfa_step = NULL, updated_at = greatest(updated_at, $2)
  WHERE id = $1::text::uuid RETURNING id
), gone AS (
  DELETE FROM backup_codes WHERE user_id IN (SELECT id FROM off)
)
SELECT id::text FROM off
