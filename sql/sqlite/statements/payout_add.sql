INSERT INTO payouts (id, state, created_at, updated_at) VALUES (:id, 'reserved', :at, :at)
