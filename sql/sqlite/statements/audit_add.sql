INSERT INTO audit (at, node, actor, address, action, subject, outcome, before, after)
VALUES (:at, :node, :actor, :address, :action, :subject, :outcome, :before, :after)
