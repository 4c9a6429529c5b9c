-- What a statement and a proof need beside the split: the window's factor, what of its oldest share counts, and the Merkle
-- root over the (account, work) list. Splits are append-only, so those of earlier builds keep NULL: their root follows from
-- the list.
ALTER TABLE block_splits
  ADD COLUMN factor_bp integer CHECK (factor_bp > 0),
  ADD COLUMN first_counted numeric(39,0) CHECK (first_counted >= 0),
  ADD COLUMN root bytea CHECK (octet_length(root) = 32);
