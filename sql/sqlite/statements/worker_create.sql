INSERT INTO workers (account_id, name) VALUES (:account_id, :name) RETURNING id
