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
                    v_page := ARRAY(SELECT f.row FROM refs f
                        WHERE f.scope = v_scope AND f.target = 'row:' || v_queue[v_head] AND f.row > v_after
                        ORDER BY f.row LIMIT 64);
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

-- Takes the locks of changes until the end of the transaction. With p_waits it waits for each; it must then hold no other lock,
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
