INSERT INTO accounts (address, created_at) VALUES (:address, :at) RETURNING id
