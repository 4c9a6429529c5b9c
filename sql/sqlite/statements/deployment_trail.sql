SELECT at, action, stage, traffic_bp, actor, detail FROM deployment_trail
WHERE deployment_id = :deployment ORDER BY id;
