-- The second factor is in force from now on, with new codes for when it is lost.
WITH on_now AS (
  UPDATE users SET mfa_enabled = true, updated_at = greatest(updated_at, $3)
  WHERE id = $1::text::uuid AND mfa_sealed IS NOT NULL RETURNING id
), gone AS (
  DELETE FROM backup_codes WHERE user_id IN (SELECT id FROM on_now)
), codes AS (
  INSERT INTO backup_codes (user_id, digest) SELECT id, unnest($2::bytea[]) FROM on_now
)
SELECT id::text FROM on_now
