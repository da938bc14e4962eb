-- A business in a mode: what the queues are asked by. parked is kept by triggers, so that nobody counts.
CREATE TABLE partitions (
    id INTEGER PRIMARY KEY,
    business TEXT NOT NULL,
    livemode INTEGER NOT NULL,
    parked INTEGER NOT NULL DEFAULT 0,
    UNIQUE (business, livemode)
);
INSERT INTO partitions (business, livemode)
    SELECT business, livemode FROM scopes UNION SELECT business, livemode FROM events;

ALTER TABLE scopes ADD COLUMN revision INTEGER NOT NULL DEFAULT 0;

-- What refers to what, as text, of rows that are shown. Kept by triggers from the column refs of each row, which is a
-- JSON array of texts: a row that is written again with the same references touches nothing here.
CREATE TABLE refs (
    scope INTEGER NOT NULL,
    target TEXT NOT NULL,
    row TEXT NOT NULL,
    PRIMARY KEY (scope, target, row)
) WITHOUT ROWID;

-- written: the account's revision at the last write. fingerprint: what the row was brought to.
ALTER TABLE products ADD COLUMN data_version INTEGER NOT NULL DEFAULT 1;
ALTER TABLE products ADD COLUMN live INTEGER NOT NULL DEFAULT 1;
ALTER TABLE products ADD COLUMN fingerprint TEXT;
ALTER TABLE products ADD COLUMN written INTEGER NOT NULL DEFAULT 0;
ALTER TABLE products ADD COLUMN refs TEXT;
ALTER TABLE prices ADD COLUMN data_version INTEGER NOT NULL DEFAULT 1;
ALTER TABLE prices ADD COLUMN live INTEGER NOT NULL DEFAULT 1;
ALTER TABLE prices ADD COLUMN fingerprint TEXT;
ALTER TABLE prices ADD COLUMN written INTEGER NOT NULL DEFAULT 0;
ALTER TABLE prices ADD COLUMN refs TEXT;
ALTER TABLE purchases ADD COLUMN data_version INTEGER NOT NULL DEFAULT 1;
ALTER TABLE purchases ADD COLUMN live INTEGER NOT NULL DEFAULT 1;
ALTER TABLE purchases ADD COLUMN fingerprint TEXT;
ALTER TABLE purchases ADD COLUMN written INTEGER NOT NULL DEFAULT 0;
ALTER TABLE purchases ADD COLUMN refs TEXT;
ALTER TABLE subscriptions ADD COLUMN data_version INTEGER NOT NULL DEFAULT 1;
ALTER TABLE subscriptions ADD COLUMN live INTEGER NOT NULL DEFAULT 1;
ALTER TABLE subscriptions ADD COLUMN fingerprint TEXT;
ALTER TABLE subscriptions ADD COLUMN written INTEGER NOT NULL DEFAULT 0;
ALTER TABLE subscriptions ADD COLUMN refs TEXT;
ALTER TABLE records ADD COLUMN data_version INTEGER NOT NULL DEFAULT 1;
ALTER TABLE records ADD COLUMN live INTEGER NOT NULL DEFAULT 1;
ALTER TABLE records ADD COLUMN fingerprint TEXT;
ALTER TABLE records ADD COLUMN written INTEGER NOT NULL DEFAULT 0;
ALTER TABLE records ADD COLUMN refs TEXT;

-- Nobody said yet that an older row is settled, but the catalog's never are live. The version is the account's so far.
UPDATE products SET
    data_version = coalesce((SELECT data_version FROM scopes WHERE id = scope), 1),
    live = (SELECT account <> 'platform' FROM scopes WHERE id = scope);
UPDATE prices SET data_version = coalesce((SELECT data_version FROM scopes WHERE id = scope), 1), live = 0;
UPDATE purchases SET data_version = coalesce((SELECT data_version FROM scopes WHERE id = scope), 1);
UPDATE subscriptions SET data_version = coalesce((SELECT data_version FROM scopes WHERE id = scope), 1);
UPDATE records SET
    data_version = coalesce((SELECT data_version FROM scopes WHERE id = scope), 1),
    live = (SELECT account <> 'platform' FROM scopes WHERE id = scope);

CREATE INDEX products_live ON products (scope, id) WHERE live = 1 AND deleted = 0;
CREATE INDEX prices_live ON prices (scope, id) WHERE live = 1;
CREATE INDEX purchases_live ON purchases (scope, id) WHERE live = 1;
CREATE INDEX subscriptions_live ON subscriptions (scope, id) WHERE live = 1;
CREATE INDEX records_live ON records (scope, collection, id) WHERE live = 1;

CREATE INDEX products_by_fingerprint ON products (scope, fingerprint, written)
    WHERE fingerprint IS NOT NULL AND deleted = 0;
CREATE INDEX prices_by_fingerprint ON prices (scope, fingerprint, written) WHERE fingerprint IS NOT NULL;
CREATE INDEX purchases_by_fingerprint ON purchases (scope, fingerprint, written) WHERE fingerprint IS NOT NULL;
CREATE INDEX subscriptions_by_fingerprint ON subscriptions (scope, fingerprint, written)
    WHERE fingerprint IS NOT NULL;
CREATE INDEX records_by_fingerprint ON records (scope, collection, fingerprint, written)
    WHERE fingerprint IS NOT NULL;

CREATE TRIGGER products_refer AFTER INSERT ON products WHEN new.refs IS NOT NULL AND new.deleted = 0 BEGIN
    INSERT INTO refs SELECT DISTINCT new.scope, value, 'product:' || new.id FROM json_each(new.refs);
END;
CREATE TRIGGER products_refer_anew AFTER UPDATE OF refs, deleted ON products
WHEN old.refs IS NOT new.refs OR old.deleted <> new.deleted BEGIN
    DELETE FROM refs WHERE scope = old.scope AND row = 'product:' || old.id
        AND target IN (SELECT value FROM json_each(old.refs));
    INSERT INTO refs SELECT DISTINCT new.scope, value, 'product:' || new.id FROM json_each(new.refs)
        WHERE new.deleted = 0;
END;
CREATE TRIGGER prices_refer AFTER INSERT ON prices WHEN new.refs IS NOT NULL BEGIN
    INSERT INTO refs SELECT DISTINCT new.scope, value, 'price:' || new.id FROM json_each(new.refs);
END;
CREATE TRIGGER prices_refer_anew AFTER UPDATE OF refs ON prices WHEN old.refs IS NOT new.refs BEGIN
    DELETE FROM refs WHERE scope = old.scope AND row = 'price:' || old.id
        AND target IN (SELECT value FROM json_each(old.refs));
    INSERT INTO refs SELECT DISTINCT new.scope, value, 'price:' || new.id FROM json_each(new.refs);
END;
CREATE TRIGGER purchases_refer AFTER INSERT ON purchases WHEN new.refs IS NOT NULL BEGIN
    INSERT INTO refs SELECT DISTINCT new.scope, value, 'purchase:' || new.id FROM json_each(new.refs);
END;
CREATE TRIGGER purchases_refer_anew AFTER UPDATE OF refs ON purchases WHEN old.refs IS NOT new.refs BEGIN
    DELETE FROM refs WHERE scope = old.scope AND row = 'purchase:' || old.id
        AND target IN (SELECT value FROM json_each(old.refs));
    INSERT INTO refs SELECT DISTINCT new.scope, value, 'purchase:' || new.id FROM json_each(new.refs);
END;
CREATE TRIGGER subscriptions_refer AFTER INSERT ON subscriptions WHEN new.refs IS NOT NULL BEGIN
    INSERT INTO refs SELECT DISTINCT new.scope, value, 'subscription:' || new.id FROM json_each(new.refs);
END;
CREATE TRIGGER subscriptions_refer_anew AFTER UPDATE OF refs ON subscriptions WHEN old.refs IS NOT new.refs BEGIN
    DELETE FROM refs WHERE scope = old.scope AND row = 'subscription:' || old.id
        AND target IN (SELECT value FROM json_each(old.refs));
    INSERT INTO refs SELECT DISTINCT new.scope, value, 'subscription:' || new.id FROM json_each(new.refs);
END;
CREATE TRIGGER records_refer AFTER INSERT ON records WHEN new.refs IS NOT NULL BEGIN
    INSERT INTO refs
        SELECT DISTINCT new.scope, value, 'record:' || new.collection || ':' || new.id FROM json_each(new.refs);
END;
CREATE TRIGGER records_refer_anew AFTER UPDATE OF refs ON records WHEN old.refs IS NOT new.refs BEGIN
    DELETE FROM refs WHERE scope = old.scope AND row = 'record:' || old.collection || ':' || old.id
        AND target IN (SELECT value FROM json_each(old.refs));
    INSERT INTO refs
        SELECT DISTINCT new.scope, value, 'record:' || new.collection || ':' || new.id FROM json_each(new.refs);
END;
CREATE TRIGGER records_go AFTER DELETE ON records WHEN old.refs IS NOT NULL BEGIN
    DELETE FROM refs WHERE scope = old.scope AND row = 'record:' || old.collection || ':' || old.id
        AND target IN (SELECT value FROM json_each(old.refs));
END;

-- Nobody asks any more what an account holds.

-- context: the extension's own, back with the result. lease_until, fence: who runs it has it alone, until when, and
-- whose number is lower has lost it. token: what the provider gave to look again with.
ALTER TABLE effects ADD COLUMN partition INTEGER NOT NULL DEFAULT 0;
ALTER TABLE effects ADD COLUMN context TEXT NOT NULL DEFAULT '{}';
ALTER TABLE effects ADD COLUMN lease_until INTEGER;
ALTER TABLE effects ADD COLUMN fence INTEGER NOT NULL DEFAULT 0;
ALTER TABLE effects ADD COLUMN token TEXT;
UPDATE effects SET partition = (
    SELECT p.id FROM scopes s JOIN partitions p ON p.business = s.business AND p.livemode = s.livemode
    WHERE s.id = effects.scope
);
DROP INDEX effects_due;
DROP INDEX effects_due_timers;
CREATE INDEX effects_due ON effects (partition, due_at) WHERE state = 0 AND kind <> 'timer.at';
CREATE INDEX effects_due_timers ON effects (partition, due_at) WHERE state = 0 AND kind = 'timer.at';
CREATE INDEX effects_running ON effects (partition) WHERE state = 1;

-- A run of an event, from 1; none is ever overwritten.
CREATE TABLE runs (
    seq INTEGER NOT NULL,
    n INTEGER NOT NULL,
    at INTEGER NOT NULL,
    outcome TEXT,
    error TEXT,
    catalog_hash,
    component_hash,
    claim_answers TEXT,
    fuel INTEGER,
    effects_hash,
    PRIMARY KEY (seq, n)
) WITHOUT ROWID;
-- Only the last run of an older row is known, and not when it was.
INSERT INTO runs
    SELECT i.seq, 1, e.received_at, i.outcome, i.error, i.catalog_hash, i.component_hash, i.claim_answers, i.fuel,
        i.effects_hash
    FROM inbox i JOIN events e ON e.seq = i.seq WHERE i.outcome IS NOT NULL OR i.error IS NOT NULL;

-- Where each event stands. state: 0 pending, 1 parked, 2 deferred, 3 done, 4 dead.
-- at: earliest attempt of a pending row, since when a parked or deferred one waits. runs: number of the last one.
CREATE TABLE standings (
    seq INTEGER PRIMARY KEY,
    partition INTEGER NOT NULL,
    account TEXT,
    state INTEGER NOT NULL,
    at INTEGER NOT NULL,
    failures INTEGER NOT NULL,
    error TEXT,
    outcome TEXT,
    runs INTEGER NOT NULL
);
INSERT INTO standings
    SELECT i.seq, p.id, i.account, i.state, CASE i.state WHEN 2 THEN e.received_at ELSE i.at END, i.failures, i.error,
        i.outcome, i.outcome IS NOT NULL OR i.error IS NOT NULL
    FROM inbox i JOIN events e ON e.seq = i.seq
        JOIN partitions p ON p.business = e.business AND p.livemode = e.livemode;
DROP TABLE inbox;
ALTER TABLE standings RENAME TO inbox;
CREATE INDEX inbox_pending ON inbox (partition, seq, at) WHERE state = 0;
CREATE INDEX inbox_waiting ON inbox (partition, state, at) WHERE state < 3;
CREATE INDEX inbox_dead ON inbox (partition, seq) WHERE state = 4;
UPDATE partitions SET parked = (SELECT count(*) FROM inbox WHERE partition = partitions.id AND state = 1);

-- Triggers, since most rows never wait and own statements for each would cost them all.
CREATE TRIGGER inbox_moves AFTER UPDATE OF state ON inbox WHEN old.state IN (1, 2) BEGIN
    DELETE FROM waits WHERE seq = old.seq;
END;
CREATE TRIGGER inbox_parks AFTER INSERT ON inbox WHEN new.state = 1 BEGIN
    UPDATE partitions SET parked = parked + 1 WHERE id = new.partition;
END;
CREATE TRIGGER inbox_parks_late AFTER UPDATE OF state ON inbox WHEN new.state = 1 AND old.state <> 1 BEGIN
    UPDATE partitions SET parked = parked + 1 WHERE id = new.partition;
END;
CREATE TRIGGER inbox_leaves AFTER UPDATE OF state ON inbox WHEN old.state = 1 AND new.state <> 1 BEGIN
    UPDATE partitions SET parked = parked - 1 WHERE id = new.partition;
END;
