SELECT id, at, actor, action, subject, detail FROM payout_audit WHERE id < :before ORDER BY id DESC LIMIT :limit
