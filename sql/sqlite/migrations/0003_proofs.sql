-- What a statement and a proof need beside the split: the window's factor, what of its oldest share counts, and the Merkle
-- root over the (account, work) list. Splits are append-only, so those of earlier builds keep NULL: their root follows from
-- the list.
ALTER TABLE block_splits ADD COLUMN factor_bp INTEGER CHECK (factor_bp > 0);
ALTER TABLE block_splits ADD COLUMN first_counted_hi INTEGER;
ALTER TABLE block_splits ADD COLUMN first_counted_mid INTEGER CHECK (first_counted_mid BETWEEN 0 AND 9999999999);
ALTER TABLE block_splits ADD COLUMN first_counted_lo INTEGER CHECK (first_counted_lo BETWEEN 0 AND 9999999999);
ALTER TABLE block_splits ADD COLUMN root BLOB CHECK (length(root) = 32);
