-- A business in a mode.
CREATE TABLE partitions (
    id INTEGER PRIMARY KEY,
    business TEXT NOT NULL,
    livemode INTEGER NOT NULL,
    UNIQUE (business, livemode)
);

-- Whose rows these are: one account of one business in one mode. The revision rises with each change of rows, facts or claims.
CREATE TABLE scopes (
    id INTEGER PRIMARY KEY,
    partition INTEGER NOT NULL,
    account TEXT NOT NULL,
    revision INTEGER NOT NULL,
    data_version INTEGER,
    UNIQUE (partition, account)
);

-- The rows of an account and of the catalog. key: `KIND:ID`, for a record `record:COLLECTION:ID`. body: the row as JSON, without the
-- extension's own text, which is in value. shown: 0 for a soft-deleted product. written: the account's revision at the last write.
-- kind: what the key begins with, for a row with a fingerprint. The large columns are last, so that the others are read without them.
-- refs: the row's references, as a JSON array of texts. created_at, updated_at: times of the first and of the last write, in
-- milliseconds since the epoch.
CREATE TABLE rows (
    scope INTEGER NOT NULL,
    key TEXT NOT NULL,
    data_version INTEGER NOT NULL,
    live INTEGER NOT NULL,
    shown INTEGER NOT NULL,
    kind TEXT,
    fingerprint TEXT,
    written INTEGER NOT NULL,
    refs TEXT,
    product_type TEXT,
    session_id TEXT,
    payment_intent_id TEXT,
    created_at INTEGER,
    updated_at INTEGER,
    body TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (scope, key)
) WITHOUT ROWID;
CREATE INDEX rows_live ON rows (scope) WHERE live = 1 AND shown = 1;
CREATE INDEX rows_by_fingerprint ON rows (scope, kind, fingerprint, written) WHERE fingerprint IS NOT NULL AND shown = 1;
CREATE UNIQUE INDEX rows_by_session ON rows (scope, session_id) WHERE session_id IS NOT NULL;
CREATE UNIQUE INDEX rows_by_payment_intent ON rows (scope, payment_intent_id) WHERE payment_intent_id IS NOT NULL;

-- Which rows refer to a target. The store itself keeps them: triggers would have SQLite keep a journal of every write of a row.
CREATE TABLE refs (
    scope INTEGER NOT NULL,
    target TEXT NOT NULL,
    row TEXT NOT NULL,
    PRIMARY KEY (scope, target, row)
) WITHOUT ROWID;

CREATE TABLE facts (
    scope INTEGER NOT NULL,
    fact TEXT NOT NULL,
    event_id TEXT NOT NULL,
    PRIMARY KEY (scope, fact)
) WITHOUT ROWID;

-- By full key; a row without a holder is a block.
CREATE TABLE claims (
    key TEXT NOT NULL PRIMARY KEY,
    holder TEXT,
    until INTEGER,
    blocked_until INTEGER
) WITHOUT ROWID;
CREATE INDEX claims_by_holder ON claims (holder, key) WHERE holder IS NOT NULL;

-- The requested effects. state: 0 queued, 1 running, 2 finished, 3 cancelled. retry: waits in milliseconds, as JSON.
-- fence: number of the last lease. token: what the provider gave to look again with; an effect that ended by its deadline keeps it,
-- so that a restarted host asks for a late success. erased: 1 if its texts are gone, since its account was erased.
CREATE TABLE effects (
    seq INTEGER PRIMARY KEY,
    partition INTEGER NOT NULL,
    scope INTEGER NOT NULL,
    key TEXT NOT NULL,
    generation INTEGER NOT NULL,
    kind TEXT NOT NULL,
    receiver TEXT,
    reply_to TEXT,
    ordering_key TEXT,
    not_before INTEGER,
    deadline INTEGER,
    retry TEXT,
    state INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    due_at INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    caused_by TEXT NOT NULL,
    lease_until INTEGER,
    fence INTEGER NOT NULL,
    token TEXT,
    lease_owner TEXT,
    erased INTEGER NOT NULL
);
CREATE UNIQUE INDEX effects_by_key ON effects (scope, key, generation);
CREATE INDEX effects_open ON effects (scope, ordering_key) WHERE state < 2;
CREATE INDEX effects_due_timers ON effects (partition, due_at) WHERE state = 0 AND kind = 'timer.at';
CREATE INDEX effects_running ON effects (partition) WHERE state = 1;
CREATE INDEX effects_awaited ON effects (partition) WHERE state = 2 AND token IS NOT NULL;
-- The kind, the deadline, the account and the ordering key are read for each due effect that a host passes over.
CREATE INDEX effects_due ON effects (partition, due_at, seq, kind, deadline, scope, ordering_key)
    WHERE state = 0 AND kind <> 'timer.at';

-- What an effect was asked with, apart from what changes: rows that grow have SQLite move others to another page, and what it leaves
-- of them there can't be erased. This table only grows at its end.
CREATE TABLE effect_texts (
    seq INTEGER PRIMARY KEY,
    payload TEXT NOT NULL,
    context TEXT NOT NULL
);

-- The received events. state: 0 pending, 1 parked, 2 deferred, 3 done, 4 dead.
-- at: earliest attempt of a pending event, start of the wait of a parked or deferred one. waits_since: start of an interrupted wait.
-- payload_kind: 0 the payment source's bytes, 1 the JSON of a command, 2 any other as JSON. runs: number of runs. run: the last one
-- as JSON; the table `runs` has the earlier ones. erased: as of effects.
CREATE TABLE events (
    seq INTEGER PRIMARY KEY,
    partition INTEGER NOT NULL,
    source TEXT NOT NULL,
    id TEXT NOT NULL,
    kind TEXT NOT NULL,
    received_at INTEGER NOT NULL,
    envelope TEXT NOT NULL,
    payload_kind INTEGER NOT NULL,
    account TEXT,
    state INTEGER NOT NULL,
    at INTEGER NOT NULL,
    waits_since INTEGER,
    failures INTEGER NOT NULL,
    error TEXT,
    outcome TEXT,
    runs INTEGER NOT NULL,
    run TEXT,
    erased INTEGER NOT NULL
);
CREATE UNIQUE INDEX events_by_id ON events (id, source, partition);
-- The results of effects, which are read to know which resources exist, among all other events.
CREATE INDEX events_of_effects ON events (seq) WHERE source = 'effects';
CREATE INDEX events_waiting ON events (partition, state, at) WHERE state < 3;
-- What waits for an attempt and what had all of them, in order of acceptance.
CREATE INDEX events_failed ON events (partition, state, seq, at) WHERE state IN (0, 4);
-- The events of one account, which streams read among those of all others.
CREATE INDEX events_of_account ON events (account, partition) WHERE account IS NOT NULL;

-- The bodies of events, as `effect_texts` those of effects. raw: null if it is the payload's bytes.
CREATE TABLE event_texts (
    seq INTEGER PRIMARY KEY,
    payload BLOB NOT NULL,
    raw BLOB
);

-- The runs of an event before its last one, from 1; none is ever overwritten.
CREATE TABLE runs (
    seq INTEGER NOT NULL,
    n INTEGER NOT NULL,
    run TEXT NOT NULL,
    PRIMARY KEY (seq, n)
) WITHOUT ROWID;

-- Full keys that a parked or deferred event waits for.
CREATE TABLE waits (
    key TEXT NOT NULL,
    seq INTEGER NOT NULL,
    PRIMARY KEY (key, seq)
) WITHOUT ROWID;
CREATE INDEX waits_by_seq ON waits (seq);

-- What callers were answered last, for who asks again. An answer that was replaced or erased is empty, so that no other one moves.
CREATE TABLE replies (
    n INTEGER PRIMARY KEY,
    scope INTEGER NOT NULL,
    caller TEXT NOT NULL,
    reply TEXT NOT NULL
);
CREATE UNIQUE INDEX replies_by_caller ON replies (scope, caller) WHERE reply <> '';
