-- changed: the transaction that has changed the event after it was stored, when it was decided later or again. Hosts follow each
-- other by it. A new event needs none, since its number is new.
ALTER TABLE events ADD COLUMN changed bigint;
CREATE INDEX events_changed ON events (changed) WHERE changed IS NOT NULL;
CREATE FUNCTION note_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.changed := pg_current_xact_id()::text::bigint;
    RETURN NEW;
END $$;
CREATE TRIGGER events_change BEFORE UPDATE ON events FOR EACH ROW EXECUTE FUNCTION note_change();
