INSERT INTO payout_audit (at, actor, action, subject, detail) VALUES (:at, :actor, :action, :subject, :detail)
