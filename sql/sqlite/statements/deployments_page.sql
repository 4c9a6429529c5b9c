SELECT id, revision, package, replaces, generation, plan, rollout, created_at, updated_at, actor
FROM deployments WHERE id < :before ORDER BY id DESC LIMIT :limit;
