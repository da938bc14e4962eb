-- The kind and the deadline of due effects, which a host whose provider is busy reads for each effect that it passes over.
DROP INDEX effects_due;
CREATE INDEX effects_due ON effects (partition, due_at, kind, deadline) WHERE state = 0 AND kind <> 'timer.at';
