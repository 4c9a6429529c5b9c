WITH put AS (
  INSERT INTO deployments AS d (node, id, revision, package, replaces, generation, plan, rollout, created_at, updated_at, actor)
  VALUES ($1, $2, $3, $4::text::json, $5::text::json, $6, $7::text::json, $8::text::json, $9, $10, $11)
  ON CONFLICT (node, id) DO UPDATE SET
    revision = excluded.revision, rollout = excluded.rollout, updated_at = excluded.updated_at
  WHERE excluded.revision > d.revision
)
INSERT INTO deployment_trail (node, deployment_id, at, action, stage, traffic_bp, actor, detail)
VALUES ($1, $2, $12, $13, $14, $15, $16, $17)
