-- The changes of several new events of different accounts at once. Created again with every schema version.

-- Begins a group: marks the numbers of events that the transaction may get as open, and returns a number for each event, or null for
-- an event that is known already.
CREATE OR REPLACE FUNCTION begin_together(p_business text, p_livemode boolean, p_sources text[], p_ids text[], p_tag bigint)
RETURNS bigint[] LANGUAGE plpgsql AS $$
DECLARE
    v_partition integer;
BEGIN
    SELECT p.id INTO v_partition FROM partitions p WHERE p.business = p_business AND p.livemode = p_livemode;
    -- Readers of the log stop below the numbers that this transaction may get from here on.
    PERFORM pg_advisory_xact_lock_shared((p_tag << 48) | CASE WHEN s.is_called THEN s.last_value ELSE 0 END) FROM event_numbers s;
    RETURN ARRAY(SELECT CASE WHEN NOT EXISTS (SELECT FROM events e
            WHERE e.id = x.id AND e.source = x.source AND e.partition = v_partition) THEN nextval('event_numbers') END
        FROM unnest(p_sources, p_ids) x(source, id));
END $$;

-- Applies the changes of new events of one partition together. Each account occurs at most once, and no change writes what another
-- reads or writes. Arrays of one letter have the values of the same items: `c_` claims that were read, `a_` accounts, `e_` events, `r_`
-- rows, `f_` facts. `_n` is the number of an item's account in the arrays of accounts. Members of p_others: `claims`, `generations`,
-- `inserts`, `updates` and `replies`.
--
-- result: `done` (with the number of the transaction), or the reason why the transaction must be rolled back: `locked`, `read`,
-- `effect`, or `wakes` if an event waits for one of the keys p_wakes. A value that a unique index already has is an error of the index.
CREATE OR REPLACE FUNCTION apply_together(
    p_locks bigint[], p_shared boolean[], p_waits boolean, p_business text, p_livemode boolean, p_catalog bigint, p_wakes text[],
    c_keys text[], c_there boolean[], c_holders text[], c_untils bigint[], c_blocked bigint[],
    a_names text[], a_revisions bigint[], a_decide boolean[], a_write boolean[], a_versions bigint[],
    e_numbers bigint[], e_sources text[], e_ids text[], e_kinds text[], e_received bigint[], e_envelopes text[], e_payload_kinds smallint[],
    e_payloads bytea[], e_raws bytea[], e_accounts text[], e_states smallint[], e_ats bigint[], e_waits bigint[], e_failures bigint[],
    e_errors text[], e_outcomes text[], e_runs text[],
    r_n bigint[], r_keys text[], r_bodies text[], r_values text[], r_versions bigint[], r_live boolean[], r_shown boolean[],
    r_fingerprints text[], r_refs text[], r_targets text[], r_types text[], r_sessions text[], r_intents text[], r_ats bigint[],
    f_n bigint[], f_facts text[], f_events text[],
    p_others json
) RETURNS TABLE (result text, xid text) LANGUAGE plpgsql AS $$
DECLARE
    v_partition integer;
    v_scopes bigint[];
    v_differs boolean;
    v_is_new boolean;
    v_updated integer;
    o record;
BEGIN
    IF NOT take_locks(p_locks, p_shared, p_waits) THEN
        result := 'locked'; RETURN NEXT; RETURN;
    END IF;

    -- The conditions. What a unique index refuses needs none.
    SELECT p.id INTO v_partition FROM partitions p WHERE p.business = p_business AND p.livemode = p_livemode;
    IF v_partition IS NULL THEN v_partition := ensure_partition(p_business, p_livemode); END IF;
    IF p_catalog <> coalesce((SELECT s.revision FROM scopes s WHERE s.partition = v_partition AND s.account = 'platform'), 0) THEN
        result := 'read'; RETURN NEXT; RETURN;
    END IF;
    IF cardinality(c_keys) > 0 AND EXISTS (
        SELECT FROM unnest(c_keys, c_there, c_holders, c_untils, c_blocked) x(key, there, holder, until, blocked)
            LEFT JOIN LATERAL (SELECT * FROM claims c WHERE c.key = x.key OFFSET 0) l ON true
        WHERE (l.key IS NOT NULL) <> x.there
            OR (l.holder, l.until, l.blocked_until) IS DISTINCT FROM (x.holder, x.until, x.blocked)) THEN
        result := 'read'; RETURN NEXT; RETURN;
    END IF;
    SELECT array_agg(s.id ORDER BY x.n), bool_or(coalesce(s.revision, 0) <> x.revision), bool_or(s.id IS NULL AND x.writes)
        INTO v_scopes, v_differs, v_is_new
        FROM unnest(a_names, a_revisions, a_write) WITH ORDINALITY x(name, revision, writes, n)
            LEFT JOIN LATERAL (SELECT * FROM scopes c WHERE c.partition = v_partition AND c.account = x.name OFFSET 0) s ON true;
    IF v_differs THEN
        result := 'read'; RETURN NEXT; RETURN;
    END IF;
    IF cardinality(p_wakes) > 0 AND EXISTS (SELECT FROM waits w WHERE w.key = ANY (p_wakes)) THEN
        result := 'wakes'; RETURN NEXT; RETURN;
    END IF;
    IF p_others IS NOT NULL THEN
        SELECT * INTO o FROM json_to_record(p_others) AS x(claims json, generations json, inserts json, updates json, replies json);
        IF o.generations IS NOT NULL THEN
            -- The lease of an effect changes without the lock of its account.
            PERFORM FROM json_to_recordset(o.generations) AS x(n int, key text), effects e
                WHERE e.scope = v_scopes[x.n] AND e.key = x.key FOR UPDATE OF e;
            IF EXISTS (SELECT FROM json_to_recordset(o.generations) AS x(n int, key text, generations text)
                WHERE x.generations <> (
                    SELECT coalesce(string_agg(e.generation || ',' || e.state || ',' || e.fence, ';' ORDER BY e.seq), '')
                    FROM effects e WHERE e.scope = v_scopes[x.n] AND e.key = x.key)) THEN
                result := 'effect'; RETURN NEXT; RETURN;
            END IF;
        END IF;
    END IF;
    result := 'done'; xid := pg_current_xact_id()::text;

    INSERT INTO events (seq, partition, source, id, kind, received_at, envelope, payload_kind, payload, raw, account, state, at,
            waits_since, failures, error, outcome, runs, run)
        SELECT x.number, v_partition, x.source, x.id, x.kind, x.received_at, x.envelope::json, x.payload_kind, x.payload, x.raw,
            x.account, x.state, x.at, x.waits, x.failures, x.error, x.outcome::json, (x.run IS NOT NULL)::int, x.run::json
        FROM unnest(e_numbers, e_sources, e_ids, e_kinds, e_received, e_envelopes, e_payload_kinds, e_payloads, e_raws, e_accounts,
            e_states, e_ats, e_waits, e_failures, e_errors, e_outcomes, e_runs)
        AS x(number, source, id, kind, received_at, envelope, payload_kind, payload, raw, account, state, at, waits, failures, error,
            outcome, run);
    IF NOT true = ANY (a_write) THEN
        RETURN NEXT; RETURN;
    END IF;

    -- The accounts, and their rows.
    IF v_is_new THEN
        INSERT INTO scopes (partition, account, revision, data_version)
            SELECT v_partition, x.name, x.decides::int, x.version
            FROM unnest(v_scopes, a_names, a_decide, a_write, a_versions) x(id, name, decides, writes, version)
            WHERE x.id IS NULL AND x.writes;
    END IF;
    UPDATE scopes s SET revision = s.revision + x.decides::int, data_version = greatest(s.data_version, x.version)
        FROM unnest(v_scopes, a_decide, a_write, a_versions) x(id, decides, writes, version)
        WHERE s.id = x.id AND x.writes AND (x.decides OR x.version > coalesce(s.data_version, -1));
    IF v_is_new THEN
        SELECT array_agg(s.id ORDER BY x.n) INTO v_scopes FROM unnest(a_names) WITH ORDINALITY x(name, n)
            LEFT JOIN LATERAL (SELECT * FROM scopes c WHERE c.partition = v_partition AND c.account = x.name OFFSET 0) s ON true;
    END IF;
    IF cardinality(r_keys) > 0 THEN
        WITH written AS MATERIALIZED (
            SELECT v_scopes[x.n] AS scope, x.key, x.targets::text[] AS targets, coalesce((
                SELECT r.targets FROM rows r WHERE r.scope = v_scopes[x.n] AND r.key = x.key), '{}') AS before
            FROM unnest(r_n, r_keys, r_targets) x(n, key, targets)
        ), outdated AS (
            DELETE FROM refs f USING written w, unnest(w.before) t
                WHERE w.before <> w.targets AND NOT t = ANY (w.targets) AND f.scope = w.scope AND f.target = t AND f.key = w.key
        )
        INSERT INTO refs SELECT w.scope, t, w.key FROM written w, unnest(w.targets) t
            WHERE w.before <> w.targets AND NOT t = ANY (w.before);
        INSERT INTO rows AS r
            SELECT v_scopes[x.n], x.key, x.body::json, x.value::json, x.version, x.live, x.shown, x.fingerprint,
                coalesce(a_revisions[x.n], 0) + 1, x.refs::text[], x.targets::text[], x.type, x.session, x.intent, x.at, x.at
            FROM unnest(r_n, r_keys, r_bodies, r_values, r_versions, r_live, r_shown, r_fingerprints, r_refs, r_targets, r_types,
                r_sessions, r_intents, r_ats)
                AS x(n, key, body, value, version, live, shown, fingerprint, refs, targets, type, session, intent, at)
            ON CONFLICT (scope, key) DO UPDATE SET body = excluded.body, value = excluded.value, data_version = excluded.data_version,
                live = excluded.live, shown = excluded.shown, fingerprint = excluded.fingerprint, written = excluded.written,
                refs = excluded.refs, targets = excluded.targets, product_type = excluded.product_type,
                session_id = excluded.session_id, payment_intent_id = excluded.payment_intent_id, updated_at = excluded.updated_at;
    END IF;
    IF cardinality(f_facts) > 0 THEN
        INSERT INTO facts SELECT v_scopes[x.n], x.fact, x.event FROM unnest(f_n, f_facts, f_events) x(n, fact, event);
    END IF;
    IF p_others IS NULL THEN
        RETURN NEXT; RETURN;
    END IF;

    -- What few changes have.
    IF o.claims IS NOT NULL THEN
        INSERT INTO claims SELECT x.key, x.holder, x.until, x.blocked
            FROM json_to_recordset(o.claims) AS x(key text, there boolean, holder text, until bigint, blocked bigint) WHERE x.there
            ON CONFLICT (key) DO UPDATE
            SET holder = excluded.holder, until = excluded.until, blocked_until = excluded.blocked_until;
        DELETE FROM claims l USING json_to_recordset(o.claims) AS x(key text, there boolean) WHERE l.key = x.key AND NOT x.there;
    END IF;
    IF o.updates IS NOT NULL THEN
        UPDATE effects e SET state = x.state, attempts = x.attempts, due_at = x.due_at, lease_until = x.lease_until,
                fence = x.fence, token = x.token, lease_owner = x.lease_owner
            FROM json_to_recordset(o.updates) AS x(n int, key text, generation int, state smallint, attempts int, due_at bigint,
                lease_until bigint, fence bigint, token text, lease_owner text)
            WHERE e.scope = v_scopes[x.n] AND e.key = x.key AND e.generation = x.generation;
        GET DIAGNOSTICS v_updated = ROW_COUNT;
        IF v_updated <> json_array_length(o.updates) THEN
            result := 'effect'; RETURN NEXT; RETURN;
        END IF;
    END IF;
    IF o.inserts IS NOT NULL THEN
        INSERT INTO effects (seq, partition, scope, key, generation, kind, receiver, payload, context, reply_to, ordering_key,
                not_before, deadline, retry, state, attempts, due_at, created_at, caused_by, lease_until, fence, token, lease_owner)
            SELECT nextval('effect_numbers'), v_partition, v_scopes[x.n], x.key, x.generation, x.kind, x.receiver, x.payload,
                x.context, x.reply_to, x.ordering_key, x.not_before, x.deadline, x.retry, x.state, x.attempts, x.due_at, x.created_at,
                x.caused_by, x.lease_until, x.fence, x.token, x.lease_owner
            FROM json_to_recordset(o.inserts) AS x(n int, key text, generation int, kind text, receiver text, payload text,
                context text, reply_to text, ordering_key text, not_before bigint, deadline bigint, retry json, state smallint,
                attempts int, due_at bigint, created_at bigint, caused_by text, lease_until bigint, fence bigint, token text,
                lease_owner text);
    END IF;
    IF o.replies IS NOT NULL THEN
        INSERT INTO replies SELECT v_scopes[x.n], x.caller, x.reply
            FROM json_to_recordset(o.replies) AS x(n int, caller text, reply json)
            ON CONFLICT (scope, caller) DO UPDATE SET reply = excluded.reply;
    END IF;
    RETURN NEXT;
END $$;
