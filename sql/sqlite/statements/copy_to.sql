-- A consistent copy of the database as it is at this moment; the file must not exist.
VACUUM INTO :path
