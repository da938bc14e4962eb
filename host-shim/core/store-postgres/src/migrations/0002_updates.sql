-- Most events update rows and accounts. An update that changes no indexed column, and finds room in its page, touches no index.

-- Each write of a row changes `written`, which needs no index: outdated rows are few.
DROP INDEX rows_by_fingerprint;
CREATE INDEX rows_by_fingerprint ON rows (scope, fingerprint, key) WHERE fingerprint IS NOT NULL AND shown;
ALTER TABLE rows SET (fillfactor = 60);
ALTER TABLE scopes SET (fillfactor = 60);

-- A compressed body of a webhook fits into the row of its event.
ALTER TABLE events SET (toast_tuple_target = 4080);
