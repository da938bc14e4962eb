-- The host that carries out an effect, so that other hosts leave the effect alone until its lease has expired.
ALTER TABLE effects ADD COLUMN lease_owner TEXT;
-- Since when a pending event waits, if it has waited before and may have to wait on.
ALTER TABLE inbox ADD COLUMN waits_since INTEGER;
