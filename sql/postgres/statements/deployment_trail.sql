SELECT at, action, stage, traffic_bp, actor, detail FROM deployment_trail
WHERE node = $1 AND deployment_id = $2 ORDER BY id
