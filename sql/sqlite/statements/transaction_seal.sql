INSERT INTO ledger_transactions (id, reference, kind, block, at)
VALUES (:id, :reference, :kind, :block, :at)
