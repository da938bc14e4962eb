-- Who carries an effect out: fencing number, when that runs out, and the provider's token of work in progress.
ALTER TABLE effects ADD COLUMN lease INTEGER NOT NULL DEFAULT 0;
ALTER TABLE effects ADD COLUMN lease_until INTEGER;
ALTER TABLE effects ADD COLUMN token TEXT;
