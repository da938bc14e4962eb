-- An effect that ended by its deadline while its provider still worked on it keeps the provider's token, so that a restarted
-- host asks the provider for a late success.
CREATE INDEX effects_awaited ON effects (partition, seq) WHERE state = 2 AND token IS NOT NULL;
