-- Whose rows these are: one account of one business in one mode.
CREATE TABLE scopes (
    id INTEGER PRIMARY KEY,
    business TEXT NOT NULL,
    livemode INTEGER NOT NULL,
    account TEXT NOT NULL,
    data_version INTEGER,
    UNIQUE (business, livemode, account)
);

CREATE TABLE products (
    scope INTEGER NOT NULL,
    id TEXT NOT NULL,
    product_type TEXT NOT NULL,
    name TEXT NOT NULL,
    description TEXT NOT NULL,
    active INTEGER NOT NULL,
    price_minor INTEGER,
    price_currency TEXT,
    interval_unit TEXT,
    interval_count INTEGER,
    filters TEXT NOT NULL,
    metadata TEXT NOT NULL,
    version INTEGER NOT NULL,
    deleted INTEGER NOT NULL,
    PRIMARY KEY (scope, id)
) WITHOUT ROWID;

CREATE TABLE prices (
    scope INTEGER NOT NULL,
    id TEXT NOT NULL,
    product_id TEXT NOT NULL,
    product_type TEXT NOT NULL,
    family TEXT,
    amount_minor INTEGER NOT NULL,
    amount_currency TEXT NOT NULL,
    interval_unit TEXT,
    interval_count INTEGER,
    active INTEGER NOT NULL,
    grants TEXT NOT NULL,
    terms TEXT NOT NULL,
    PRIMARY KEY (scope, id)
) WITHOUT ROWID;

CREATE TABLE purchases (
    scope INTEGER NOT NULL,
    id TEXT NOT NULL,
    provider TEXT NOT NULL,
    session_id TEXT,
    payment_intent_id TEXT,
    subscription_id TEXT,
    status TEXT NOT NULL,
    items TEXT NOT NULL,
    amount_minor INTEGER NOT NULL,
    amount_currency TEXT NOT NULL,
    tax_minor INTEGER NOT NULL,
    tax_currency TEXT NOT NULL,
    total_minor INTEGER NOT NULL,
    total_currency TEXT NOT NULL,
    refunded_minor INTEGER NOT NULL,
    refunded_currency TEXT NOT NULL,
    metadata TEXT NOT NULL,
    version INTEGER NOT NULL,
    PRIMARY KEY (scope, id)
) WITHOUT ROWID;
CREATE UNIQUE INDEX purchases_by_session ON purchases (scope, session_id) WHERE session_id IS NOT NULL;
CREATE UNIQUE INDEX purchases_by_payment_intent ON purchases (scope, payment_intent_id)
    WHERE payment_intent_id IS NOT NULL;

CREATE TABLE subscriptions (
    scope INTEGER NOT NULL,
    id TEXT NOT NULL,
    customer_id TEXT NOT NULL,
    status TEXT NOT NULL,
    items TEXT NOT NULL,
    cancel_at_period_end INTEGER NOT NULL,
    cancel_at INTEGER,
    trial_end INTEGER,
    grace_end INTEGER,
    snapshot_at INTEGER NOT NULL,
    snapshot_rank TEXT NOT NULL,
    snapshot_event_id TEXT NOT NULL,
    metadata TEXT NOT NULL,
    version INTEGER NOT NULL,
    PRIMARY KEY (scope, id)
) WITHOUT ROWID;

CREATE TABLE records (
    scope INTEGER NOT NULL,
    collection TEXT NOT NULL,
    id TEXT NOT NULL,
    value TEXT NOT NULL,
    version INTEGER NOT NULL,
    PRIMARY KEY (scope, collection, id)
) WITHOUT ROWID;

CREATE TABLE facts (
    scope INTEGER NOT NULL,
    fact TEXT NOT NULL,
    event_id TEXT NOT NULL,
    PRIMARY KEY (scope, fact)
) WITHOUT ROWID;

-- By full key; a row without holder is a block.
CREATE TABLE claims (
    key TEXT NOT NULL PRIMARY KEY,
    holder TEXT,
    until INTEGER,
    blocked_until INTEGER
) WITHOUT ROWID;
CREATE INDEX claims_by_holder ON claims (holder, key) WHERE holder IS NOT NULL;

-- state: 0 queued, 1 running, 2 finished, 3 cancelled.
CREATE TABLE effects (
    seq INTEGER PRIMARY KEY,
    scope INTEGER NOT NULL,
    key TEXT NOT NULL,
    generation INTEGER NOT NULL,
    kind TEXT NOT NULL,
    receiver TEXT,
    payload TEXT NOT NULL,
    reply_to TEXT,
    ordering_key TEXT,
    not_before INTEGER,
    deadline INTEGER,
    retry_attempts INTEGER,
    retry_first_ms INTEGER,
    retry_longest_ms INTEGER,
    state INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    due_at INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    caused_by TEXT NOT NULL
);
CREATE UNIQUE INDEX effects_by_key ON effects (scope, key, generation);
CREATE INDEX effects_open ON effects (scope, ordering_key) WHERE state < 2;
CREATE INDEX effects_due ON effects (due_at) WHERE state = 0 AND kind <> 'timer.at';
CREATE INDEX effects_due_timers ON effects (due_at) WHERE state = 0 AND kind = 'timer.at';

-- What came in and never changes, apart from what changes: an update need not write the body again.
-- payload_kind: 0 provider's bytes, 1 a command's JSON, 2 any other as JSON. raw: null if it is the payload's bytes.
CREATE TABLE events (
    seq INTEGER PRIMARY KEY,
    business TEXT NOT NULL,
    livemode INTEGER NOT NULL,
    source TEXT NOT NULL,
    id TEXT NOT NULL,
    kind TEXT NOT NULL,
    received_at INTEGER NOT NULL,
    envelope TEXT NOT NULL,
    payload_kind INTEGER NOT NULL,
    payload BLOB NOT NULL,
    raw BLOB
);
CREATE UNIQUE INDEX events_by_id ON events (id, source, business, livemode);

-- state: 0 pending, 1 parked, 2 deferred, 3 done, 4 dead.
-- at: earliest attempt of a pending row, acceptance of a parked one.
CREATE TABLE inbox (
    seq INTEGER PRIMARY KEY,
    account TEXT,
    state INTEGER NOT NULL,
    at INTEGER NOT NULL,
    failures INTEGER NOT NULL,
    error TEXT,
    outcome TEXT,
    catalog_hash,
    component_hash,
    claim_answers TEXT,
    fuel INTEGER,
    effects_hash
);
CREATE INDEX inbox_open ON inbox (state, seq, at) WHERE state < 2;

-- Full keys that a parked or deferred row waits for.
CREATE TABLE waits (
    key TEXT NOT NULL,
    seq INTEGER NOT NULL,
    PRIMARY KEY (key, seq)
) WITHOUT ROWID;
CREATE INDEX waits_by_seq ON waits (seq);
-- A trigger, since most rows never waited and an own statement for each would cost them all.
CREATE TRIGGER inbox_moves AFTER UPDATE OF state ON inbox WHEN old.state IN (1, 2) BEGIN
    DELETE FROM waits WHERE seq = old.seq;
END;
