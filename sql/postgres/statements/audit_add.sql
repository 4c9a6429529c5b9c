INSERT INTO audit (at, node, actor, address, action, subject, outcome, before, after)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8::text::json, $9::text::json)
