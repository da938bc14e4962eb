-- The results of effects, which are read to know which resources exist, among all other events.
CREATE INDEX events_of_effects ON events (seq) WHERE source = 'effects';
