INSERT INTO deployments (id, revision, package, replaces, generation, plan, rollout, created_at, updated_at, actor)
VALUES (:id, :revision, :package, :replaces, :generation, :plan, :rollout, :created_at, :updated_at, :actor)
ON CONFLICT (id) DO UPDATE SET
  revision = excluded.revision, rollout = excluded.rollout, updated_at = excluded.updated_at
WHERE excluded.revision > deployments.revision;
