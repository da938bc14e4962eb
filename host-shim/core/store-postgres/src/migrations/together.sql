-- How changes are stored: those of one event, or of several new events at once. Created again with every schema version.

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

-- Applies the changes of events, or none of them: of new events of one partition, or of one event. Each account occurs at most once, and
-- no change writes what another reads or writes. Arrays of one letter have the values of the same items: `c_` claims that were read,
-- `a_` accounts, `e_` new events, `r_` rows, `f_` facts. `j_` is what few changes have, as JSON, null if none has it (others.rs). `_n`, in
-- JSON `n`, is the number of an item's account in the arrays of accounts. A new event without a number gets the next one; p_tag then
-- marks the numbers that this transaction may get as open, null if it has marked them.
--
-- result: `done` (with the number of the first new event, and that of the transaction), a conflict (`event`, `effect`, `read`), `locked`
-- by another transaction, `wakes` if an event waits for one of the keys p_wakes, `taken` (by the unique index in `detail`), or `misuse`
-- (a bug of the caller, in `detail`). Nothing is written unless it is `done`. That another transaction has stored an event that has a
-- number is an error of the index.
--
-- For short arrays, the planner would find plans of their own cheaper than those that it keeps, and make them anew at each call. It takes
-- JSON for 100 items, for which it might read whole tables: hence the loops and `OFFSET 0`. Each array of an `unnest` is copied first,
-- hence the subscripts.
CREATE OR REPLACE FUNCTION apply_together(
    p_locks bigint[], p_shared boolean[], p_waits boolean, p_tag bigint, p_business text, p_livemode boolean, p_catalog bigint,
    p_wakes text[],
    c_keys text[], c_there boolean[], c_holders text[], c_untils bigint[], c_blocked bigint[],
    a_names text[], a_revisions bigint[], a_decide boolean[], a_write boolean[], a_versions bigint[],
    e_numbers bigint[], e_sources text[], e_ids text[], e_kinds text[], e_received bigint[], e_envelopes text[], e_payload_kinds smallint[],
    e_payloads bytea[], e_raws bytea[], e_accounts text[], e_states smallint[], e_ats bigint[], e_waits bigint[], e_failures bigint[],
    e_errors text[], e_outcomes text[], e_runs text[],
    r_n bigint[], r_keys text[], r_bodies text[], r_values text[], r_versions bigint[], r_live boolean[], r_shown boolean[],
    r_fingerprints text[], r_refs text[], r_targets text[], r_types text[], r_sessions text[], r_intents text[], r_ats bigint[],
    f_n bigint[], f_facts text[], f_events text[],
    j_elsewhere json, j_move json, j_waits json, j_leases json, j_generations json, j_unique json, j_released json, j_requests json,
    j_inserts json, j_updates json, j_deleted json, j_claims json, j_replies json
) RETURNS TABLE (result text, detail text, seq bigint, xid text) LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    v_partition integer;
    v_of_events integer;
    v_scopes bigint[];
    v_differs boolean;
    v_is_new boolean;
    v_before text[];
    v_state smallint;
    v_at bigint;
    v_since bigint;
    g record;
    m record;
BEGIN
    IF NOT take_locks(p_locks, p_shared, p_waits) THEN
        result := 'locked'; RETURN NEXT; RETURN;
    END IF;

    -- The conditions.
    SELECT p.id INTO v_partition FROM partitions p WHERE p.business = p_business AND p.livemode = p_livemode;
    v_of_events := v_partition;
    IF cardinality(a_names) > 0 THEN
        SELECT array_agg(s.id ORDER BY i), bool_or(coalesce(s.revision, 0) <> a_revisions[i]), bool_or(s.id IS NULL AND a_write[i])
            INTO v_scopes, v_differs, v_is_new
            FROM generate_subscripts(a_names, 1) i
                LEFT JOIN LATERAL (SELECT * FROM scopes c WHERE c.partition = v_partition AND c.account = a_names[i] OFFSET 0) s ON true;
    END IF;
    IF j_elsewhere IS NOT NULL THEN
        v_of_events := (SELECT p.id FROM partitions p
            WHERE p.business = j_elsewhere ->> 'business' AND p.livemode = (j_elsewhere ->> 'livemode')::boolean);
    END IF;
    IF j_move IS NOT NULL THEN
        SELECT * INTO m FROM json_to_record(j_move) AS x(seq bigint, expected json, account text, state smallint, at bigint,
            waits_since bigint, failures int, error text, outcome json, waits text[], run json);
        SELECT e.state, e.at, e.waits_since INTO v_state, v_at, v_since FROM events e WHERE e.seq = m.seq;
        IF m.expected IS NOT NULL AND v_state IS NOT NULL AND (v_state, v_at, v_since) IS DISTINCT FROM
            ((m.expected ->> 0)::smallint, (m.expected ->> 1)::bigint, (m.expected ->> 2)::bigint) THEN
            result := 'event'; RETURN NEXT; RETURN;
        END IF;
    END IF;
    IF j_leases IS NOT NULL THEN
        FOR g IN SELECT * FROM json_to_recordset(j_leases) AS x(n int, key text, generation int, state smallint, lease bigint)
        LOOP
            -- The lease of an effect changes without the lock of its account.
            PERFORM FROM effects e WHERE e.scope = v_scopes[g.n] AND e.key = g.key AND e.generation = g.generation
                AND e.state = g.state AND e.fence = g.lease FOR UPDATE;
            IF NOT FOUND THEN
                result := 'effect'; RETURN NEXT; RETURN;
            END IF;
        END LOOP;
    END IF;
    IF j_generations IS NOT NULL THEN
        PERFORM FROM json_to_recordset(j_generations) AS x(n int, key text),
            LATERAL (SELECT FROM effects e WHERE e.scope = v_scopes[x.n] AND e.key = x.key OFFSET 0 FOR UPDATE) e;
        IF EXISTS (SELECT FROM json_to_recordset(j_generations) AS x(n int, key text, generations text)
            WHERE x.generations <> (
                SELECT coalesce(string_agg(e.generation || ',' || e.state || ',' || e.fence, ';' ORDER BY e.seq), '')
                FROM effects e WHERE e.scope = v_scopes[x.n] AND e.key = x.key)) THEN
            result := 'effect'; RETURN NEXT; RETURN;
        END IF;
    END IF;
    IF p_catalog IS NOT NULL AND v_differs IS NOT true THEN
        v_differs := p_catalog <> coalesce((SELECT s.revision FROM scopes s
            WHERE s.partition = v_partition AND s.account = 'platform'), 0);
    END IF;
    IF cardinality(c_keys) > 0 AND v_differs IS NOT true THEN
        v_differs := EXISTS (SELECT FROM generate_subscripts(c_keys, 1) i
                LEFT JOIN LATERAL (SELECT * FROM claims c WHERE c.key = c_keys[i] OFFSET 0) l ON true
            WHERE (l.key IS NOT NULL) <> c_there[i]
                OR (l.holder, l.until, l.blocked_until) IS DISTINCT FROM (c_holders[i], c_untils[i], c_blocked[i]));
    END IF;
    IF v_differs THEN
        result := 'read'; RETURN NEXT; RETURN;
    END IF;
    IF cardinality(p_wakes) > 0 THEN
        IF EXISTS (SELECT FROM waits t WHERE t.key = ANY (p_wakes)) THEN
            result := 'wakes'; RETURN NEXT; RETURN;
        END IF;
    END IF;

    -- The refusals. A known event is a conflict and no refusal.
    IF j_unique IS NOT NULL THEN
        SELECT x.index INTO detail
            FROM json_to_recordset(j_unique) AS x(n int, index text, value text, keys text[], twice boolean)
            WHERE x.twice OR CASE x.index WHEN 'purchase.session' THEN EXISTS (SELECT FROM rows r
                    WHERE r.scope = v_scopes[x.n] AND r.session_id = x.value AND NOT r.key = ANY (x.keys))
                ELSE EXISTS (SELECT FROM rows r
                    WHERE r.scope = v_scopes[x.n] AND r.payment_intent_id = x.value AND NOT r.key = ANY (x.keys)) END
            LIMIT 1;
        IF FOUND THEN result := 'taken'; END IF;
    END IF;
    IF result IS NULL AND cardinality(f_facts) > 0 THEN
        IF EXISTS (SELECT FROM generate_subscripts(f_facts, 1) i,
            LATERAL (SELECT FROM facts f WHERE f.scope = v_scopes[f_n[i]] AND f.fact = f_facts[i] OFFSET 0) f) THEN
            result := 'taken'; detail := 'fact';
        END IF;
    END IF;
    IF result IS NULL AND j_requests IS NOT NULL THEN
        -- The first of the effects that is refused.
        SELECT CASE WHEN x.inserts THEN 'taken' ELSE 'misuse' END,
                CASE WHEN x.inserts THEN 'effect.generation' ELSE format('no effect `%s` of generation %s', x.key, x.generation) END
            INTO result, detail
            FROM ROWS FROM (json_to_recordset(j_requests) AS (n int, key text, generation int, inserts boolean, inserted boolean))
                WITH ORDINALITY x(n, key, generation, inserts, inserted, place)
            LEFT JOIN LATERAL (SELECT true AS there FROM effects e
                WHERE e.scope = v_scopes[x.n] AND e.key = x.key AND e.generation = x.generation OFFSET 0) e ON true
            WHERE x.inserts = (x.inserted OR e.there IS NOT NULL) ORDER BY x.place LIMIT 1;
    END IF;
    IF result IS NULL AND j_move IS NOT NULL AND v_state IS NULL THEN
        result := 'misuse'; detail := format('no inbox row %s', m.seq);
    END IF;
    -- An event that has a number was unknown when the group began.
    IF array_position(e_numbers, NULL) IS NOT NULL THEN
        IF EXISTS (SELECT FROM generate_subscripts(e_ids, 1) i, LATERAL (SELECT FROM events e
                WHERE e.id = e_ids[i] AND e.source = e_sources[i] AND e.partition = v_of_events OFFSET 0) e
            WHERE e_numbers[i] IS NULL) THEN
            result := 'event'; detail := NULL; RETURN NEXT; RETURN;
        END IF;
    END IF;
    IF result IS NOT NULL THEN
        RETURN NEXT; RETURN;
    END IF;
    result := 'done'; detail := NULL; xid := pg_current_xact_id()::text;

    -- The events.
    IF cardinality(e_ids) > 0 THEN
        IF v_of_events IS NULL THEN
            v_of_events := ensure_partition(coalesce(j_elsewhere ->> 'business', p_business),
                coalesce((j_elsewhere ->> 'livemode')::boolean, p_livemode));
        END IF;
        IF array_position(e_numbers, NULL) IS NOT NULL THEN
            IF p_tag IS NOT NULL THEN
                -- Readers of the log stop below the numbers that this transaction may get from here on.
                PERFORM pg_advisory_xact_lock_shared((p_tag << 48) | CASE WHEN s.is_called THEN s.last_value ELSE 0 END)
                    FROM event_numbers s;
            END IF;
            e_numbers := ARRAY(SELECT coalesce(x.number, nextval('event_numbers')) FROM unnest(e_numbers) WITH ORDINALITY x(number, n)
                ORDER BY x.n);
        END IF;
        seq := e_numbers[1];
        INSERT INTO events (seq, partition, source, id, kind, received_at, envelope, payload_kind, payload, raw, account, state, at,
                waits_since, failures, error, outcome, runs, run)
            SELECT e_numbers[i], v_of_events, e_sources[i], e_ids[i], e_kinds[i], e_received[i], e_envelopes[i]::json, e_payload_kinds[i],
                e_payloads[i], e_raws[i], e_accounts[i], e_states[i], e_ats[i], e_waits[i], e_failures[i], e_errors[i],
                e_outcomes[i]::json, (e_runs[i] IS NOT NULL)::int, e_runs[i]::json
            FROM generate_subscripts(e_ids, 1) i;
    END IF;
    IF j_waits IS NOT NULL THEN
        INSERT INTO waits SELECT DISTINCT x.key, e_numbers[x.event] FROM json_to_recordset(j_waits) AS x(event int, key text);
    END IF;
    IF j_move IS NOT NULL THEN
        IF m.run IS NOT NULL THEN
            INSERT INTO runs SELECT e.seq, e.runs, e.run FROM events e WHERE e.seq = m.seq AND e.run IS NOT NULL;
        END IF;
        UPDATE events e SET account = coalesce(m.account, e.account), state = m.state, at = m.at, waits_since = m.waits_since,
                failures = m.failures, error = m.error, outcome = m.outcome, runs = e.runs + (m.run IS NOT NULL)::int,
                run = coalesce(m.run, e.run)
            WHERE e.seq = m.seq;
        IF v_state IN (1, 2) THEN DELETE FROM waits t WHERE t.seq = m.seq; END IF;
        IF cardinality(m.waits) > 0 THEN
            INSERT INTO waits SELECT DISTINCT k, m.seq FROM unnest(m.waits) k;
        END IF;
    END IF;
    IF NOT true = ANY (a_write) THEN
        RETURN NEXT; RETURN;
    END IF;

    -- The accounts, and their rows.
    IF v_partition IS NULL THEN v_partition := ensure_partition(p_business, p_livemode); END IF;
    IF v_is_new THEN
        INSERT INTO scopes (partition, account, revision, data_version)
            SELECT v_partition, a_names[i], a_decide[i]::int, a_versions[i] FROM generate_subscripts(a_names, 1) i
            WHERE v_scopes[i] IS NULL AND a_write[i];
    END IF;
    IF true = ANY (a_decide) THEN
        UPDATE scopes s SET revision = s.revision + 1,
                data_version = greatest(s.data_version, a_versions[array_position(v_scopes, s.id)])
            WHERE s.id = ANY (v_scopes) AND a_decide[array_position(v_scopes, s.id)];
    END IF;
    IF v_is_new THEN
        SELECT array_agg(s.id ORDER BY i) INTO v_scopes FROM generate_subscripts(a_names, 1) i
            LEFT JOIN LATERAL (SELECT * FROM scopes c WHERE c.partition = v_partition AND c.account = a_names[i] OFFSET 0) s ON true;
    END IF;
    IF j_released IS NOT NULL THEN
        -- Purchases of one change may exchange unique values: release all old values before writing the new values.
        FOR g IN SELECT * FROM json_to_recordset(j_released) AS x(n int, key text) LOOP
            UPDATE rows r SET session_id = NULL, payment_intent_id = NULL
                WHERE r.scope = v_scopes[g.n] AND r.key = g.key AND (r.session_id IS NOT NULL OR r.payment_intent_id IS NOT NULL);
        END LOOP;
    END IF;
    IF cardinality(r_keys) > 0 THEN
        WITH written AS MATERIALIZED (
            SELECT v_scopes[x.n] AS scope, x.key, x.targets::text[] AS targets, coalesce((
                SELECT r.targets FROM rows r WHERE r.scope = v_scopes[x.n] AND r.key = x.key), '{}') AS before
            FROM unnest(r_n, r_keys, r_targets) x(n, key, targets)
        ), outdated AS (
            DELETE FROM refs f USING written w, unnest(w.before) t
                WHERE w.before <> w.targets AND NOT t = ANY (w.targets) AND f.scope = w.scope AND f.target = t AND f.row = w.key
        )
        INSERT INTO refs SELECT w.scope, t, w.key FROM written w, unnest(w.targets) t
            WHERE w.before <> w.targets AND NOT t = ANY (w.before);
        INSERT INTO rows AS r
            SELECT v_scopes[r_n[i]], r_keys[i], r_bodies[i]::json, r_values[i]::json, r_versions[i], r_live[i], r_shown[i],
                r_fingerprints[i], coalesce(a_revisions[r_n[i]] + 1, (SELECT s.revision FROM scopes s WHERE s.id = v_scopes[r_n[i]])),
                r_refs[i]::text[], r_targets[i]::text[], r_types[i], r_sessions[i], r_intents[i], r_ats[i], r_ats[i]
            FROM generate_subscripts(r_keys, 1) i
            ON CONFLICT (scope, key) DO UPDATE SET body = excluded.body, value = excluded.value, data_version = excluded.data_version,
                live = excluded.live, shown = excluded.shown, fingerprint = excluded.fingerprint, written = excluded.written,
                refs = excluded.refs, targets = excluded.targets, product_type = excluded.product_type,
                session_id = excluded.session_id, payment_intent_id = excluded.payment_intent_id, updated_at = excluded.updated_at;
    END IF;
    IF cardinality(f_facts) > 0 THEN
        INSERT INTO facts SELECT v_scopes[f_n[i]], f_facts[i], f_events[i] FROM generate_subscripts(f_facts, 1) i;
    END IF;
    -- What few changes have.
    IF j_deleted IS NOT NULL THEN
        FOR g IN SELECT * FROM json_to_recordset(j_deleted) AS x(n int, key text) LOOP
            DELETE FROM rows r WHERE r.scope = v_scopes[g.n] AND r.key = g.key RETURNING r.targets INTO v_before;
            DELETE FROM refs f WHERE f.scope = v_scopes[g.n] AND f.row = g.key AND f.target = ANY (v_before);
        END LOOP;
    END IF;
    IF j_claims IS NOT NULL THEN
        INSERT INTO claims SELECT x.key, x.holder, x.until, x.blocked
            FROM json_to_recordset(j_claims) AS x(key text, there boolean, holder text, until bigint, blocked bigint) WHERE x.there
            ON CONFLICT (key) DO UPDATE
            SET holder = excluded.holder, until = excluded.until, blocked_until = excluded.blocked_until;
        DELETE FROM claims l WHERE l.key = ANY (ARRAY(
            SELECT x.key FROM json_to_recordset(j_claims) AS x(key text, there boolean) WHERE NOT x.there));
    END IF;
    IF j_inserts IS NOT NULL THEN
        INSERT INTO effects (seq, partition, scope, key, generation, kind, receiver, payload, context, reply_to, ordering_key,
                not_before, deadline, retry, state, attempts, due_at, created_at, caused_by, lease_until, fence, token, lease_owner)
            SELECT nextval('effect_numbers'), v_partition, v_scopes[x.n], x.key, x.generation, x.kind, x.receiver, x.payload,
                x.context, x.reply_to, x.ordering_key, x.not_before, x.deadline, x.retry, x.state, x.attempts, x.due_at, x.created_at,
                x.caused_by, x.lease_until, x.fence, x.token, x.lease_owner
            FROM json_to_recordset(j_inserts) AS x(n int, key text, generation int, kind text, receiver text, payload text,
                context text, reply_to text, ordering_key text, not_before bigint, deadline bigint, retry json, state smallint,
                attempts int, due_at bigint, created_at bigint, caused_by text, lease_until bigint, fence bigint, token text,
                lease_owner text);
    END IF;
    IF j_updates IS NOT NULL THEN
        FOR g IN SELECT * FROM json_to_recordset(j_updates) AS x(n int, key text, generation int, state smallint, attempts int,
            due_at bigint, lease_until bigint, fence bigint, token text, lease_owner text)
        LOOP
            UPDATE effects e SET state = g.state, attempts = g.attempts, due_at = g.due_at, lease_until = g.lease_until,
                    fence = g.fence, token = g.token, lease_owner = g.lease_owner
                WHERE e.scope = v_scopes[g.n] AND e.key = g.key AND e.generation = g.generation;
        END LOOP;
    END IF;
    IF j_replies IS NOT NULL THEN
        INSERT INTO replies SELECT v_scopes[x.n], x.caller, x.reply
            FROM json_to_recordset(j_replies) AS x(n int, caller text, reply json)
            ON CONFLICT (scope, caller) DO UPDATE SET reply = excluded.reply;
    END IF;
    RETURN NEXT;
END $$;
