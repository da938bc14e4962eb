-- The account and the ordering key of due effects, which a host reads for each effect whose turn it finds.
DROP INDEX effects_due;
CREATE INDEX effects_due ON effects (partition, due_at, kind, deadline, scope, ordering_key)
WHERE state = 0 AND kind <> 'timer.at';
