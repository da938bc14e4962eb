-- A business in a mode.
CREATE TABLE partitions (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    business text COLLATE "C" NOT NULL,
    livemode boolean NOT NULL,
    UNIQUE (business, livemode)
);

-- An account of a business in a mode, for example `user:ada`. The revision rises with each change of rows, facts or claims.
CREATE TABLE scopes (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    partition integer NOT NULL REFERENCES partitions,
    account text COLLATE "C" NOT NULL,
    revision bigint NOT NULL,
    data_version integer,
    UNIQUE (partition, account)
) WITH (fillfactor = 60);

-- The tables that each event writes have no foreign keys: the checks would lock the row of the business for every event of every lane.
-- Only `apply_together` writes them, and a copy of a store.

-- Most events update rows and accounts. An update that changes no indexed column, and finds room in its page, touches no index: hence
-- the fill factors, and no index has `written`, which each write of a row changes. Outdated rows are few.

-- The rows of an account: products, prices, purchases, subscriptions and records.
-- key: `KIND:ID`, for a record `record:COLLECTION:ID`. body: the row as JSON, without the extension's own text, which is in value.
-- shown: false for a soft-deleted product.
-- refs: the row's references in its own order. targets: those by which the row is found, each once; none unless it is shown.
-- written: the account's revision at the last write. Times in milliseconds since the epoch; null if they are not known.
CREATE TABLE rows (
    scope bigint NOT NULL,
    key text COLLATE "C" NOT NULL,
    body json NOT NULL,
    value json NOT NULL,
    data_version integer NOT NULL,
    live boolean NOT NULL,
    shown boolean NOT NULL,
    fingerprint text COLLATE "C",
    written bigint NOT NULL,
    refs text[] COLLATE "C" NOT NULL,
    targets text[] COLLATE "C" NOT NULL,
    product_type text COLLATE "C",
    session_id text COLLATE "C",
    payment_intent_id text COLLATE "C",
    created_at bigint,
    updated_at bigint,
    PRIMARY KEY (scope, key)
) WITH (fillfactor = 60);
CREATE INDEX rows_live ON rows (scope) WHERE live AND shown;
CREATE INDEX rows_by_fingerprint ON rows (scope, fingerprint, key) WHERE fingerprint IS NOT NULL AND shown;
CREATE UNIQUE INDEX rows_by_session ON rows (scope, session_id) WHERE session_id IS NOT NULL;
CREATE UNIQUE INDEX rows_by_payment_intent ON rows (scope, payment_intent_id) WHERE payment_intent_id IS NOT NULL;

-- Which rows refer to a target.
CREATE TABLE refs (
    scope bigint NOT NULL,
    target text COLLATE "C" NOT NULL,
    row text COLLATE "C" NOT NULL,
    PRIMARY KEY (scope, target, row)
);

CREATE TABLE facts (
    scope bigint NOT NULL,
    fact text COLLATE "C" NOT NULL,
    event_id text COLLATE "C" NOT NULL,
    PRIMARY KEY (scope, fact)
);

-- By full key; a row without a holder is a block.
CREATE TABLE claims (
    key text COLLATE "C" NOT NULL PRIMARY KEY,
    holder text COLLATE "C",
    until bigint,
    blocked_until bigint
);
CREATE INDEX claims_by_holder ON claims (holder, key) WHERE holder IS NOT NULL;

-- The received events. state: 0 pending, 1 parked, 2 deferred, 3 done, 4 dead.
-- at: earliest attempt of a pending event, start of the wait of a parked or deferred one. waits_since: start of an interrupted wait.
-- payload_kind: 0 the payment source's bytes, 1 the JSON of a command, 2 any other as JSON. raw: null if it is the payload's bytes.
-- runs: number of runs. run: the last one as JSON; the table `runs` has the earlier ones.
-- changed: the transaction that has changed the event after it was stored, when it was decided later or again. Hosts follow each
-- other by it. A new event needs none, since its number is new.
-- A compressed body of a webhook fits into the row of its event.
CREATE SEQUENCE event_numbers;
CREATE TABLE events (
    seq bigint PRIMARY KEY,
    partition integer NOT NULL,
    source text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    kind text COLLATE "C" NOT NULL,
    received_at bigint NOT NULL,
    envelope json NOT NULL,
    payload_kind smallint NOT NULL,
    payload bytea NOT NULL,
    raw bytea,
    account text COLLATE "C",
    state smallint NOT NULL,
    at bigint NOT NULL,
    waits_since bigint,
    failures integer NOT NULL,
    error text,
    outcome json,
    runs integer NOT NULL,
    run json,
    erased boolean NOT NULL DEFAULT false,
    changed bigint
) WITH (toast_tuple_target = 4080);
CREATE UNIQUE INDEX events_by_id ON events (id, source, partition);
CREATE INDEX events_of_effects ON events (seq) WHERE source = 'effects';
CREATE INDEX events_waiting ON events (partition, state, at, seq) WHERE state < 3;
CREATE INDEX events_failed ON events (partition, state, seq) WHERE state IN (0, 4);
CREATE INDEX events_changed ON events (changed) WHERE changed IS NOT NULL;
-- The events of one account, which streams read among those of all others.
CREATE INDEX events_of_account ON events (account, partition, seq) WHERE account IS NOT NULL;
CREATE FUNCTION note_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.changed := pg_current_xact_id()::text::bigint;
    RETURN NEW;
END $$;
CREATE TRIGGER events_change BEFORE UPDATE ON events FOR EACH ROW EXECUTE FUNCTION note_change();

CREATE TABLE runs (
    seq bigint NOT NULL REFERENCES events,
    n integer NOT NULL,
    run json NOT NULL,
    PRIMARY KEY (seq, n)
);

-- The full keys that a parked or deferred event waits for.
CREATE TABLE waits (
    key text COLLATE "C" NOT NULL,
    seq bigint NOT NULL REFERENCES events,
    PRIMARY KEY (key, seq)
);
CREATE INDEX waits_by_seq ON waits (seq);

-- The requested effects. state: 0 queued, 1 running, 2 finished, 3 cancelled. fence: number of the last lease.
CREATE SEQUENCE effect_numbers;
CREATE TABLE effects (
    seq bigint PRIMARY KEY,
    partition integer NOT NULL,
    scope bigint NOT NULL,
    key text COLLATE "C" NOT NULL,
    generation integer NOT NULL,
    kind text COLLATE "C" NOT NULL,
    receiver text COLLATE "C",
    payload text NOT NULL,
    context text NOT NULL,
    reply_to text COLLATE "C",
    ordering_key text COLLATE "C",
    not_before bigint,
    deadline bigint,
    retry json,
    state smallint NOT NULL,
    attempts integer NOT NULL,
    due_at bigint NOT NULL,
    created_at bigint NOT NULL,
    caused_by text COLLATE "C" NOT NULL,
    lease_until bigint,
    fence bigint NOT NULL,
    token text,
    lease_owner text COLLATE "C",
    erased boolean NOT NULL DEFAULT false
) WITH (fillfactor = 85);
CREATE UNIQUE INDEX effects_by_key ON effects (scope, key, generation);
CREATE INDEX effects_open ON effects (scope, ordering_key, seq) WHERE state < 2;
-- The kind, the deadline, the account and the ordering key are read for each due effect that a host passes over.
CREATE INDEX effects_due ON effects (partition, due_at, seq) INCLUDE (kind, deadline, scope, ordering_key)
    WHERE state = 0 AND kind <> 'timer.at';
CREATE INDEX effects_due_timers ON effects (partition, due_at, seq) WHERE state = 0 AND kind = 'timer.at';
CREATE INDEX effects_running ON effects (partition, seq) WHERE state = 1;
CREATE INDEX effects_awaited ON effects (partition, seq) WHERE state = 2 AND token IS NOT NULL;

-- The last reply to each caller.
CREATE TABLE replies (
    scope bigint NOT NULL REFERENCES scopes,
    caller text COLLATE "C" NOT NULL,
    reply json NOT NULL,
    PRIMARY KEY (scope, caller)
);

-- Bodies of webhooks compress well, and lz4 costs a fraction of the default. A server without lz4 keeps the default.
DO $$ BEGIN
    ALTER TABLE events ALTER COLUMN payload SET COMPRESSION lz4;
    ALTER TABLE rows ALTER COLUMN body SET COMPRESSION lz4;
    ALTER TABLE rows ALTER COLUMN value SET COMPRESSION lz4;
EXCEPTION WHEN feature_not_supported OR invalid_parameter_value THEN NULL;
END $$;
