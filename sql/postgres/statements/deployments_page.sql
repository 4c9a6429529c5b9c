SELECT id, revision, package::text, replaces::text, generation, plan::text, rollout::text, created_at, updated_at, actor
FROM deployments WHERE node = $1 AND id < $2 ORDER BY id DESC LIMIT $3
