-- The functions of the store: what would take several round trips takes one. They are created again with every schema version.

-- Places an event by its claims, and reads everything that it needs of its account.
--
-- The account is the holder of the claims that are held at p_now, or else p_account. Two holders, or none, open no account.
-- part: `l` a claim (key, holder, until, blocked), `a` the account (key, revision of the account, revision of the catalog), `r` a
-- row (key, data version, body, value), `c` a row of the catalog (key, body, value), `f` a known fact (key).
CREATE OR REPLACE FUNCTION open_account(
    p_business text, p_livemode boolean, p_claims text[], p_now bigint, p_account text, p_named text[], p_facts text[],
    p_others integer
) RETURNS TABLE (part text, key text, first bigint, second bigint, body text, value text) LANGUAGE plpgsql STABLE AS $$
DECLARE
    v_partition integer;
    v_account text;
    v_scope bigint;
    v_revision bigint := 0;
    v_catalog bigint;
    v_catalog_revision bigint := 0;
    v_room integer := p_others;
    v_found text[] := '{}';
    v_found_refs text[] := '{}';
    v_all_refs text[] := '{}';
    v_live text[] := '{}';
    v_queue text[] := '{}';
    v_head integer := 1;
    v_key text;
    v_row record;
    v_page text[];
    v_after text;
    v_at integer;
BEGIN
    IF cardinality(p_claims) > 0 THEN
        -- One look into the index for each key, whatever the planner knows of the table.
        FOR v_row IN SELECT c.* FROM unnest(p_claims) k, LATERAL (SELECT * FROM claims x WHERE x.key = k OFFSET 0) c LOOP
            part := 'l'; key := v_row.key; body := v_row.holder; first := v_row.until; second := v_row.blocked_until;
            RETURN NEXT;
            IF v_row.holder IS NOT NULL AND (v_row.until IS NULL OR v_row.until > p_now) THEN
                IF v_account IS NULL THEN
                    v_account := v_row.holder;
                ELSIF v_account <> v_row.holder THEN
                    v_at := -1;
                END IF;
            END IF;
        END LOOP;
        IF v_at = -1 THEN RETURN; END IF;
    END IF;
    v_account := coalesce(v_account, p_account);
    IF v_account IS NULL THEN RETURN; END IF;

    SELECT p.id INTO v_partition FROM partitions p WHERE p.business = p_business AND p.livemode = p_livemode;
    SELECT s.id, s.revision INTO v_scope, v_revision FROM scopes s WHERE s.partition = v_partition AND s.account = v_account;
    IF v_account = 'platform' THEN
        v_catalog := v_scope; v_catalog_revision := v_revision;
    ELSE
        SELECT s.id, s.revision INTO v_catalog, v_catalog_revision FROM scopes s
            WHERE s.partition = v_partition AND s.account = 'platform';
    END IF;
    part := 'a'; key := v_account; first := coalesce(v_revision, 0); second := coalesce(v_catalog_revision, 0); body := NULL;
    RETURN NEXT;
    second := NULL;

    IF v_scope IS NOT NULL THEN
        part := 'r';
        FOR v_row IN
            SELECT r.key, r.data_version, r.body, r.value, r.refs FROM rows r WHERE r.scope = v_scope AND r.live AND r.shown
        LOOP
            key := v_row.key; first := v_row.data_version; body := v_row.body; value := v_row.value;
            RETURN NEXT;
            v_found := v_found || v_row.key; v_found_refs := v_found_refs || v_row.refs::text;
            v_all_refs := v_all_refs || v_row.refs;
            -- Most live rows refer to no row, and then lead nowhere.
            IF v_row.refs::text LIKE '%row:%' THEN v_live := v_live || v_row.key; END IF;
        END LOOP;

        -- From the named rows: breadth first over references in both directions, a row's own references before its referrers.
        FOREACH v_key IN ARRAY p_named LOOP
            IF v_key LIKE 'row:%' THEN
                v_key := substr(v_key, 5);
                IF v_room > 0 AND NOT v_key = ANY (v_found) THEN
                    SELECT r.key, r.data_version, r.body, r.value, r.refs INTO v_row FROM rows r WHERE r.scope = v_scope AND r.key = v_key;
                    IF FOUND THEN
                        key := v_row.key; first := v_row.data_version; body := v_row.body; value := v_row.value;
                        RETURN NEXT;
                        v_found := v_found || v_key; v_found_refs := v_found_refs || v_row.refs::text;
                        v_all_refs := v_all_refs || v_row.refs; v_room := v_room - 1;
                    END IF;
                END IF;
                -- The referrers of a named row also concern the event if the row does not exist yet.
                IF NOT v_key = ANY (v_queue) THEN v_queue := v_queue || v_key; END IF;
            END IF;
        END LOOP;
        WHILE v_head <= cardinality(v_queue) LOOP
            v_after := '';
            v_at := array_position(v_found, v_queue[v_head]);
            -- The first round follows the row's own references, each further one a page of its referrers.
            FOR v_round IN 0 .. 1000000 LOOP
                IF v_round = 0 THEN
                    v_page := ARRAY(SELECT substr(t, 5) FROM unnest(v_found_refs[v_at]::text[]) WITH ORDINALITY u(t, n)
                        WHERE t LIKE 'row:%' ORDER BY n);
                ELSE
                    EXIT WHEN v_room <= 0;
                    v_page := ARRAY(SELECT f.key FROM refs f
                        WHERE f.scope = v_scope AND f.target = 'row:' || v_queue[v_head] AND f.key > v_after
                        ORDER BY f.key LIMIT 64);
                END IF;
                FOREACH v_key IN ARRAY v_page LOOP
                    IF v_key = ANY (v_found) THEN
                        IF NOT v_key = ANY (v_queue) THEN v_queue := v_queue || v_key; END IF;
                    ELSIF v_room > 0 THEN
                        SELECT r.key, r.data_version, r.body, r.value, r.refs INTO v_row FROM rows r
                            WHERE r.scope = v_scope AND r.key = v_key;
                        IF FOUND THEN
                            key := v_row.key; first := v_row.data_version; body := v_row.body; value := v_row.value;
                            RETURN NEXT;
                            v_found := v_found || v_key; v_found_refs := v_found_refs || v_row.refs::text;
                            v_all_refs := v_all_refs || v_row.refs; v_room := v_room - 1;
                            IF NOT v_key = ANY (v_queue) THEN v_queue := v_queue || v_key; END IF;
                        END IF;
                    END IF;
                END LOOP;
                EXIT WHEN v_round > 0 AND cardinality(v_page) < 64;
                IF v_round > 0 THEN v_after := v_page[64]; END IF;
            END LOOP;
            v_head := v_head + 1;
        END LOOP;

        -- From the live rows, over their own references only.
        v_queue := v_live;
        IF cardinality(v_live) > 1 THEN
            -- In the order of the extension's kinds of rows, since the room for other rows is limited.
            v_queue := ARRAY(SELECT k FROM unnest(v_live) k
                ORDER BY array_position('{product,price,purchase,subscription,record}'::text[], split_part(k, ':', 1)),
                    CASE WHEN k LIKE 'record:%' THEN split_part(k, ':', 2) END, k);
        END IF;
        v_head := 1;
        WHILE v_room > 0 AND v_head <= cardinality(v_queue) LOOP
            v_at := array_position(v_found, v_queue[v_head]);
            FOREACH v_key IN ARRAY ARRAY(SELECT substr(t, 5) FROM unnest(v_found_refs[v_at]::text[]) WITH ORDINALITY u(t, n)
                WHERE t LIKE 'row:%' ORDER BY n)
            LOOP
                IF v_key = ANY (v_found) THEN
                    IF NOT v_key = ANY (v_queue) THEN v_queue := v_queue || v_key; END IF;
                ELSIF v_room > 0 THEN
                    SELECT r.key, r.data_version, r.body, r.value, r.refs INTO v_row FROM rows r
                        WHERE r.scope = v_scope AND r.key = v_key;
                    IF FOUND THEN
                        key := v_row.key; first := v_row.data_version; body := v_row.body; value := v_row.value;
                        RETURN NEXT;
                        v_found := v_found || v_key; v_found_refs := v_found_refs || v_row.refs::text;
                        v_all_refs := v_all_refs || v_row.refs; v_room := v_room - 1;
                        v_queue := v_queue || v_key;
                    END IF;
                END IF;
            END LOOP;
            v_head := v_head + 1;
        END LOOP;

        IF cardinality(p_facts) > 0 THEN
            part := 'f'; first := NULL; body := NULL; value := NULL;
            FOR v_row IN SELECT f.fact FROM facts f WHERE f.scope = v_scope AND f.fact = ANY (p_facts) LOOP
                key := v_row.fact;
                RETURN NEXT;
            END LOOP;
        END IF;
    END IF;

    IF v_catalog IS NOT NULL THEN
        part := 'c'; first := NULL;
        FOR v_row IN
            SELECT r.* FROM (
                SELECT DISTINCT substr(t, 17) AS key FROM unnest(v_all_refs || p_named) t
                WHERE t LIKE 'catalog:catalog-product:%' OR t LIKE 'catalog:catalog-price:%') n,
            LATERAL (SELECT r.key, r.body, r.value FROM rows r WHERE r.scope = v_catalog AND r.key = n.key OFFSET 0) r
        LOOP
            key := v_row.key; body := v_row.body; value := v_row.value;
            RETURN NEXT;
        END LOOP;
    END IF;
END $$;

-- Takes the locks of a change until the end of the transaction. With p_waits it waits for each; it must then hold no other lock,
-- and the keys are in one order, so that no two transactions wait for each other. Otherwise it returns false at the first lock
-- that another transaction holds.
CREATE OR REPLACE FUNCTION take_locks(p_keys bigint[], p_shared boolean[], p_waits boolean) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
    IF p_waits THEN
        PERFORM CASE WHEN x.shared THEN pg_advisory_xact_lock_shared(x.key) ELSE pg_advisory_xact_lock(x.key) END
            FROM unnest(p_keys, p_shared) x(key, shared);
        RETURN true;
    END IF;
    RETURN NOT EXISTS (SELECT FROM unnest(p_keys, p_shared) x(key, shared)
        WHERE NOT CASE WHEN x.shared THEN pg_try_advisory_xact_lock_shared(x.key) ELSE pg_try_advisory_xact_lock(x.key) END);
END $$;

-- Applies the changes of an event, or none of them.
--
-- result: `done` (with the number of a new event, and that of the transaction), a conflict (`event`, `effect`, `read`), `locked` by
-- another transaction, `taken` (by the unique index in `detail`), or `misuse` (a bug of the caller, in `detail`). p_tag marks the numbers of events that this
-- transaction may get as open; null if it has marked them. p_number is the number of a new event, if it has one.
CREATE OR REPLACE FUNCTION apply_change(p json, p_payload bytea, p_raw bytea, p_waits boolean, p_tag bigint, p_number bigint)
RETURNS TABLE (result text, detail text, seq bigint, xid text) LANGUAGE plpgsql AS $$
DECLARE
    c record;
    n record;
    g record;
    w record;
    v_partition integer;
    v_of_event integer;
    v_scope bigint;
    v_revision bigint := 0;
    v_data_version integer;
    v_before text[];
    v_there boolean;
    v_state smallint;
BEGIN
    SELECT * INTO c FROM json_to_record(p) AS x(
        locks bigint[], shared boolean[], business text, livemode boolean, account text, event_id text, at bigint,
        inbox json, expects_effects json, expects_generations json, account_revision bigint, catalog_revision bigint,
        expects_claims json, purchases json, taken text, facts text[], rows json, claims json, inserts json, updates json, caller text,
        reply json, twice boolean, decides boolean, writes boolean, data_version integer, progress json, new json, moved bigint);
    IF NOT take_locks(c.locks, c.shared, p_waits) THEN
        result := 'locked'; RETURN NEXT; RETURN;
    END IF;

    -- The conditions.
    IF c.inbox IS NOT NULL THEN
        SELECT * INTO w FROM json_to_record(c.inbox) AS x(state smallint, at bigint, waits_since bigint);
        IF EXISTS (SELECT FROM events e WHERE e.seq = c.moved
            AND (e.state <> w.state OR e.at <> w.at OR e.waits_since IS DISTINCT FROM w.waits_since)) THEN
            result := 'event'; RETURN NEXT; RETURN;
        END IF;
    END IF;
    SELECT q.id INTO v_partition FROM partitions q WHERE q.business = c.business AND q.livemode = c.livemode;
    IF c.account IS NOT NULL THEN
        SELECT s.id, s.revision, s.data_version INTO v_scope, v_revision, v_data_version FROM scopes s
            WHERE s.partition = v_partition AND s.account = c.account;
        v_revision := coalesce(v_revision, 0);
    END IF;
    IF c.expects_effects IS NOT NULL THEN
        FOR w IN SELECT * FROM json_to_recordset(c.expects_effects) AS x(key text, generation int, state smallint, lease bigint)
        LOOP
            -- The lease of an effect changes without the lock of its account.
            PERFORM FROM effects e WHERE e.scope = v_scope AND e.key = w.key AND e.generation = w.generation
                AND e.state = w.state AND e.fence = w.lease FOR UPDATE;
            IF NOT FOUND THEN
                result := 'effect'; RETURN NEXT; RETURN;
            END IF;
        END LOOP;
    END IF;
    IF c.expects_generations IS NOT NULL THEN
        FOR w IN SELECT * FROM json_to_recordset(c.expects_generations) AS x(key text, generations text)
        LOOP
            PERFORM FROM effects e WHERE e.scope = v_scope AND e.key = w.key FOR UPDATE;
            IF w.generations <> (SELECT coalesce(string_agg(e.generation || ',' || e.state || ',' || e.fence, ';' ORDER BY e.seq), '')
                FROM effects e WHERE e.scope = v_scope AND e.key = w.key) THEN
                result := 'effect'; RETURN NEXT; RETURN;
            END IF;
        END LOOP;
    END IF;
    IF c.account_revision <> v_revision THEN
        result := 'read'; RETURN NEXT; RETURN;
    END IF;
    IF c.catalog_revision <> coalesce((SELECT s.revision FROM scopes s
        WHERE s.partition = v_partition AND s.account = 'platform'), 0) THEN
        result := 'read'; RETURN NEXT; RETURN;
    END IF;
    IF c.expects_claims IS NOT NULL AND EXISTS (
        SELECT FROM json_to_recordset(c.expects_claims) AS x(key text, there boolean, holder text, until bigint, blocked bigint)
            LEFT JOIN claims l ON l.key = x.key
        WHERE (l.key IS NOT NULL) <> x.there
            OR (l.holder, l.until, l.blocked_until) IS DISTINCT FROM (x.holder, x.until, x.blocked)) THEN
        result := 'read'; RETURN NEXT; RETURN;
    END IF;

    -- The refusals. A known event is a conflict and no refusal.
    IF c.purchases IS NOT NULL THEN
        SELECT x.index INTO detail FROM json_to_recordset(c.purchases) AS x(index text, value text, keys text[])
            WHERE EXISTS (SELECT FROM rows r WHERE r.scope = v_scope AND NOT r.key = ANY (x.keys)
                AND CASE x.index WHEN 'purchase.session' THEN r.session_id = x.value ELSE r.payment_intent_id = x.value END)
            LIMIT 1;
        IF FOUND THEN result := 'taken'; END IF;
    END IF;
    IF result IS NULL AND c.taken IS NOT NULL THEN
        result := 'taken'; detail := c.taken;
    END IF;
    IF result IS NULL AND c.facts IS NOT NULL
        AND EXISTS (SELECT FROM facts f WHERE f.scope = v_scope AND f.fact = ANY (c.facts)) THEN
        result := 'taken'; detail := 'fact';
    END IF;
    IF result IS NULL AND (c.inserts IS NOT NULL OR c.updates IS NOT NULL) THEN
        -- The first of the effects that is refused, in the order of the change: an update comes after `after` inserts.
        SELECT r.result, r.detail INTO result, detail FROM (
            SELECT 2 * x.n AS place, 'taken' AS result, 'effect.generation' AS detail
                FROM ROWS FROM (json_to_recordset(c.inserts) AS (key text, generation int)) WITH ORDINALITY x(key, generation, n)
                JOIN effects e ON e.scope = v_scope AND e.key = x.key AND e.generation = x.generation
            UNION ALL
            SELECT 2 * x.after + 1, 'misuse', format('no effect `%s` of generation %s', x.key, x.generation)
                FROM json_to_recordset(c.updates) AS x(key text, generation int, inserted boolean, after bigint)
                LEFT JOIN effects e ON e.scope = v_scope AND e.key = x.key AND e.generation = x.generation
                WHERE e.key IS NULL AND NOT x.inserted
        ) r ORDER BY r.place LIMIT 1;
    END IF;
    IF result IS NULL AND c.twice THEN
        result := 'taken'; detail := 'effect.generation';
    END IF;
    IF result IS NULL AND c.moved IS NOT NULL AND NOT EXISTS (SELECT FROM events e WHERE e.seq = c.moved) THEN
        result := 'misuse'; detail := format('no inbox row %s', c.moved);
    END IF;
    IF c.new IS NOT NULL THEN
        SELECT * INTO n FROM json_to_record(c.new) AS x(business text, livemode boolean, source text, id text, kind text,
            received_at bigint, envelope json, payload_kind smallint);
        v_of_event := v_partition;
        IF c.business IS NULL OR n.business <> c.business OR n.livemode <> c.livemode THEN
            v_of_event := (SELECT q.id FROM partitions q WHERE q.business = n.business AND q.livemode = n.livemode);
        END IF;
        IF EXISTS (SELECT FROM events e WHERE e.id = n.id AND e.source = n.source AND e.partition = v_of_event) THEN
            result := 'event'; detail := NULL; RETURN NEXT; RETURN;
        END IF;
    END IF;
    IF result IS NOT NULL THEN
        RETURN NEXT; RETURN;
    END IF;
    result := 'done'; detail := NULL; xid := pg_current_xact_id()::text;

    -- The event.
    IF c.progress IS NOT NULL THEN
        SELECT * INTO g FROM json_to_record(c.progress) AS x(account text, state smallint, at bigint, waits_since bigint,
            failures int, error text, outcome json, waits text[], run json);
    END IF;
    IF c.new IS NOT NULL THEN
        IF v_of_event IS NULL THEN v_of_event := ensure_partition(n.business, n.livemode); END IF;
        IF p_tag IS NOT NULL THEN
            -- Readers of the log stop below the numbers that this transaction may get from here on.
            PERFORM pg_advisory_xact_lock_shared((p_tag << 48) | CASE WHEN s.is_called THEN s.last_value ELSE 0 END)
                FROM event_numbers s;
        END IF;
        seq := coalesce(p_number, nextval('event_numbers'));
        INSERT INTO events (seq, partition, source, id, kind, received_at, envelope, payload_kind, payload, raw, account,
                state, at, waits_since, failures, error, outcome, runs, run)
            VALUES (seq, v_of_event, n.source, n.id, n.kind, n.received_at, n.envelope, n.payload_kind, p_payload, p_raw, g.account,
                g.state, g.at, g.waits_since, g.failures, g.error, g.outcome, (g.run IS NOT NULL)::int, g.run);
        IF g.waits IS NOT NULL THEN
            INSERT INTO waits SELECT DISTINCT k, apply_change.seq FROM unnest(g.waits) k;
        END IF;
    ELSIF c.moved IS NOT NULL THEN
        SELECT e.state INTO v_state FROM events e WHERE e.seq = c.moved;
        IF g.run IS NOT NULL THEN
            INSERT INTO runs SELECT e.seq, e.runs, e.run FROM events e WHERE e.seq = c.moved AND e.run IS NOT NULL;
        END IF;
        UPDATE events e SET account = coalesce(g.account, e.account), state = g.state, at = g.at, waits_since = g.waits_since,
                failures = g.failures, error = g.error, outcome = g.outcome, runs = e.runs + (g.run IS NOT NULL)::int,
                run = coalesce(g.run, e.run)
            WHERE e.seq = c.moved;
        IF v_state IN (1, 2) THEN DELETE FROM waits t WHERE t.seq = c.moved; END IF;
        IF g.waits IS NOT NULL THEN
            INSERT INTO waits SELECT DISTINCT k, c.moved FROM unnest(g.waits) k;
        END IF;
    END IF;
    IF NOT c.writes THEN
        RETURN NEXT; RETURN;
    END IF;

    -- The rows of the account.
    IF v_partition IS NULL THEN
        v_partition := ensure_partition(c.business, c.livemode);
    END IF;
    v_revision := v_revision + c.decides::int;
    IF v_scope IS NULL THEN
        INSERT INTO scopes (partition, account, revision, data_version)
            VALUES (v_partition, c.account, v_revision, c.data_version) RETURNING id INTO v_scope;
    ELSIF c.decides OR c.data_version > coalesce(v_data_version, -1) THEN
        UPDATE scopes s SET revision = v_revision, data_version = greatest(v_data_version, c.data_version) WHERE s.id = v_scope;
    END IF;
    IF c.purchases IS NOT NULL AND json_array_length(c.rows) > 1 THEN
        -- Two purchases may exchange unique values: release all old values before writing the new values.
        UPDATE rows r SET session_id = NULL, payment_intent_id = NULL
            FROM json_to_recordset(c.rows) AS x(key text)
            WHERE r.scope = v_scope AND r.key = x.key AND (r.session_id IS NOT NULL OR r.payment_intent_id IS NOT NULL);
    END IF;
    IF c.rows IS NOT NULL THEN
        FOR w IN SELECT * FROM json_to_recordset(c.rows) AS x(key text, body text, value text, data_version int, live boolean,
            shown boolean, fingerprint text, refs text[], targets text[], product_type text, session_id text, payment_intent_id text)
        LOOP
            SELECT r.targets INTO v_before FROM rows r WHERE r.scope = v_scope AND r.key = w.key;
            v_there := FOUND;
            IF w.body IS NULL THEN
                DELETE FROM rows r WHERE r.scope = v_scope AND r.key = w.key;
            ELSIF v_there THEN
                UPDATE rows r SET body = w.body::json, value = w.value::json, data_version = w.data_version, live = w.live, shown = w.shown,
                        fingerprint = w.fingerprint, written = v_revision, refs = w.refs, targets = w.targets,
                        product_type = w.product_type, session_id = w.session_id, payment_intent_id = w.payment_intent_id,
                        updated_at = c.at
                    WHERE r.scope = v_scope AND r.key = w.key;
            ELSE
                INSERT INTO rows VALUES (v_scope, w.key, w.body::json, w.value::json, w.data_version, w.live, w.shown, w.fingerprint,
                    v_revision, w.refs, w.targets, w.product_type, w.session_id, w.payment_intent_id, c.at, c.at);
            END IF;
            IF coalesce(v_before, '{}') <> w.targets THEN
                DELETE FROM refs f WHERE f.scope = v_scope AND f.key = w.key
                    AND f.target = ANY (v_before) AND NOT f.target = ANY (w.targets);
                INSERT INTO refs SELECT v_scope, t, w.key FROM unnest(w.targets) t WHERE v_before IS NULL OR NOT t = ANY (v_before);
            END IF;
        END LOOP;
    END IF;
    IF c.facts IS NOT NULL THEN
        INSERT INTO facts SELECT v_scope, f, c.event_id FROM unnest(c.facts) f;
    END IF;
    IF c.claims IS NOT NULL THEN
        FOR w IN SELECT * FROM json_to_recordset(c.claims) AS x(key text, there boolean, holder text, until bigint, blocked bigint)
        LOOP
            IF w.there THEN
                INSERT INTO claims VALUES (w.key, w.holder, w.until, w.blocked) ON CONFLICT (key) DO UPDATE
                    SET holder = excluded.holder, until = excluded.until, blocked_until = excluded.blocked_until;
            ELSE
                DELETE FROM claims l WHERE l.key = w.key;
            END IF;
        END LOOP;
    END IF;
    IF c.inserts IS NOT NULL THEN
        INSERT INTO effects
            SELECT nextval('effect_numbers'), v_partition, v_scope, x.* FROM json_to_recordset(c.inserts) AS x(
                key text, generation int, kind text, receiver text, payload text, context text, reply_to text,
                ordering_key text, not_before bigint, deadline bigint, retry json, state smallint, attempts int,
                due_at bigint, created_at bigint, caused_by text, lease_until bigint, fence bigint, token text, lease_owner text);
    END IF;
    IF c.updates IS NOT NULL THEN
        FOR w IN SELECT * FROM json_to_recordset(c.updates) AS x(key text, generation int, state smallint, attempts int,
            due_at bigint, lease_until bigint, fence bigint, token text, lease_owner text)
        LOOP
            UPDATE effects e SET state = w.state, attempts = w.attempts, due_at = w.due_at, lease_until = w.lease_until,
                    fence = w.fence, token = w.token, lease_owner = w.lease_owner
                WHERE e.scope = v_scope AND e.key = w.key AND e.generation = w.generation;
        END LOOP;
    END IF;
    IF c.caller IS NOT NULL THEN
        INSERT INTO replies VALUES (v_scope, c.caller, c.reply) ON CONFLICT (scope, caller) DO UPDATE SET reply = excluded.reply;
    END IF;
    RETURN NEXT;
END $$;

-- Returns the number of a partition, and inserts the partition if it is new.
CREATE OR REPLACE FUNCTION ensure_partition(p_business text, p_livemode boolean) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    v_id integer;
BEGIN
    LOOP
        SELECT p.id INTO v_id FROM partitions p WHERE p.business = p_business AND p.livemode = p_livemode;
        IF FOUND THEN RETURN v_id; END IF;
        INSERT INTO partitions (business, livemode) VALUES (p_business, p_livemode) ON CONFLICT DO NOTHING;
    END LOOP;
END $$;

-- Returns the number up to which the log of events is complete: no open transaction of another connection has a number up to it.
-- Read it before the snapshot in which the log is read.
CREATE OR REPLACE FUNCTION log_end(p_tag bigint) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    v_newest bigint;
    v_open bigint;
BEGIN
    SELECT CASE WHEN s.is_called THEN s.last_value ELSE 0 END INTO v_newest FROM event_numbers s;
    SELECT min(((l.classid::bigint & 65535) << 32) | l.objid::bigint) INTO v_open FROM pg_locks l
        WHERE l.locktype = 'advisory' AND l.objsubid = 1 AND l.classid::bigint >> 16 = p_tag AND l.pid <> pg_backend_pid()
            AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database());
    RETURN least(v_newest, coalesce(v_open, v_newest));
END $$;
