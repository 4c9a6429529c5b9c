SELECT id, at, node, actor, address, action, subject, outcome, before, after
FROM audit
WHERE id < :before AND (:actor IS NULL OR actor = :actor) AND (:action IS NULL OR substr(action, 1, length(:action)) = :action)
ORDER BY id DESC LIMIT :limit
