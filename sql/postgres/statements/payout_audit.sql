SELECT id, at, actor, action, subject, detail FROM payout_audit WHERE id < $1 ORDER BY id DESC LIMIT $2
