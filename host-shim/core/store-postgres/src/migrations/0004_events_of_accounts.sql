-- The events of one account, which streams read among those of all others.
CREATE INDEX events_of_account ON events (account, partition, seq) WHERE account IS NOT NULL;
