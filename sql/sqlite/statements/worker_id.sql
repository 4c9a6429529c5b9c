SELECT id FROM workers WHERE account_id = :account_id AND name = :name
