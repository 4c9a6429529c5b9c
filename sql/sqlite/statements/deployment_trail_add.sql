INSERT INTO deployment_trail (deployment_id, at, action, stage, traffic_bp, actor, detail)
VALUES (:deployment, :at, :action, :stage, :traffic, :actor, :detail);
