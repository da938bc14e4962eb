-- The events of one account, which streams read among those of all others.
CREATE INDEX inbox_of_account ON inbox (account, partition) WHERE account IS NOT NULL;
