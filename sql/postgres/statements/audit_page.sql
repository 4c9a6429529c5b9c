SELECT id, at, node, actor, address, action, subject, outcome, before::text, after::text
FROM audit
WHERE id < $1 AND ($2::text IS NULL OR actor = $2) AND ($3::text IS NULL OR starts_with(action, $3))
ORDER BY id DESC LIMIT $4
