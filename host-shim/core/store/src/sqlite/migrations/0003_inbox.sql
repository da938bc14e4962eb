-- The store keeps waits and counts itself: a trigger on the inbox has SQLite keep a journal of every insert, also of those
-- that it has nothing to do for.
DROP TRIGGER inbox_moves;
DROP TRIGGER inbox_parks;
DROP TRIGGER inbox_parks_late;
DROP TRIGGER inbox_leaves;

-- What waits for an attempt and what had all of them, in order of acceptance, by one index and one question.
DROP INDEX inbox_pending;
DROP INDEX inbox_dead;
CREATE INDEX inbox_failed ON inbox (partition, state, seq, at) WHERE state IN (0, 4);
