-- Tamper evidence: a digest of every event (its leaf), and chains of links that seal them. Nobody but the owner may
-- write here: links and leaves come from functions that run with the owner's rights, in the transaction of the events.
-- Runs as auditgraf_owner inside one transaction; docs/integrity.md says what is computed how.

-- Links. Chains 1 to 33 are the writers': several, so that none waits for another; chain 0 is retention's and the orders'.
CREATE TABLE audit.digests (
    chain smallint NOT NULL CHECK (chain BETWEEN 0 AND 33),
    sequence bigint NOT NULL,              -- from 1, without gaps
    period date NOT NULL,                  -- the month in which it was made, never one before that of the link before
    made_at timestamptz NOT NULL,
    kind text NOT NULL CHECK (kind IN ('stored', 'unsealed', 'sealed_late', 'pseudonymised', 'held', 'released', 'retired',
                                       'expired')),
    retention_class text NOT NULL,
    events bigint NOT NULL,
    covers text NOT NULL,                  -- lines: leaf table, day, leaves added, leaves taken away, SHA-256 of both
    detail text,                           -- JSON; text, because its bytes are a part of the digest
    form smallint NOT NULL,                -- how leaves and digest are computed
    previous bytea NOT NULL,               -- digest of the link before; zeros for the first
    digest bytea NOT NULL
) PARTITION BY RANGE (period);

-- Where chains begin whose first months are gone.
CREATE TABLE audit.digest_checkpoints (
    chain smallint PRIMARY KEY,
    sequence bigint NOT NULL,
    period date NOT NULL,
    digest bytea NOT NULL
);

-- Which table has the leaves of which partition's events. A number is never used again, a partition's name is.
CREATE TABLE audit.leaf_tables (
    number int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    retention_class text NOT NULL,
    day date,                              -- NULL: of held events whose partition is gone
    partition text NOT NULL,
    leaves text NOT NULL UNIQUE,
    first_period date NOT NULL             -- of its links
);
CREATE INDEX ON audit.leaf_tables (retention_class, day);
CREATE INDEX ON audit.leaf_tables (partition);

-- What a table of leaves is like: a row for each link and partition. A leaf is the event's id and its digest, 48 bytes.
CREATE TABLE audit.leaf_template (
    chain smallint NOT NULL,
    sequence bigint NOT NULL,
    period date NOT NULL,
    adds bytea NOT NULL,                   -- leaves of what was stored, or as it is now
    removes bytea NOT NULL                 -- leaves that hold no longer
);
-- Hashes can't be compressed, and to try costs more than to compute them.
ALTER TABLE audit.leaf_template ALTER adds SET STORAGE EXTERNAL, ALTER removes SET STORAGE EXTERNAL;

-- What the functions here wait for. Rows, not advisory locks: those can be taken, and kept, by whoever may send a query.
CREATE TABLE audit.locks (
    kind text NOT NULL,
    number int NOT NULL,
    PRIMARY KEY (kind, number)
);
INSERT INTO audit.locks SELECT 'chain', number FROM generate_series(0, 33) AS number;
INSERT INTO audit.locks SELECT kind, 0 FROM unnest(ARRAY['partitions', 'leaves', 'digests', 'rollups']) AS kind;

-- Runs of `auditgraf verify`.
CREATE TABLE audit.verification_runs (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    started_at timestamptz NOT NULL,
    finished_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    events bigint NOT NULL,
    links bigint NOT NULL,
    findings bigint NOT NULL,
    detail jsonb NOT NULL
);

-- An event's leaf, form 1. The binary form of a record: no setting of a session changes it but client_encoding.
CREATE FUNCTION audit.leaf_expression() RETURNS text
LANGUAGE sql IMMUTABLE
RETURN 'uuid_send(id) || sha256(record_send(ROW(id, occurred_at, received_at, occurred_ns, observed_ns, source_id, severity, '
    'severity_text, action, outcome, actor_id, actor_name, actor_email, actor_type, on_behalf_of, client_ip, client_address, '
    'country, city, latitude, longitude, asn, as_org, target_type, target_id, target_name, service, environment, tenant, '
    'session_id, trace_id, span_id, user_agent, message, changes, attributes, flags)))';

-- The leaves that a column has, as rows of id and digest. `|| ''` takes a pack out of its store once, not once a leaf;
-- OFFSET 0 keeps it out of what is sorted and hashed.
CREATE FUNCTION audit.leaves_of(leaves text, side text) RETURNS text
LANGUAGE sql IMMUTABLE
RETURN format($q$
    SELECT encode(substring(packed FROM nth * 48 + 1 FOR 16), 'hex')::uuid AS id,
           substring(packed FROM nth * 48 + 17 FOR 32) AS digest
    FROM (SELECT %I || ''::bytea AS packed FROM audit.%I OFFSET 0) AS packs,
         generate_series(0, octet_length(packed) / 48 - 1) AS nth
    OFFSET 0 $q$, side, leaves);

-- Makes the table for leaves of a partition; answers its number.
CREATE FUNCTION audit.add_leaf_table(class_name text, of_day date, partition_name text) RETURNS int
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    name text := CASE WHEN of_day IS NULL THEN 'leaves_' || class_name || '_held'
                      ELSE 'leaves_' || substring(partition_name FROM '^events_(.*)$') END;
    made int;
BEGIN
    PERFORM FROM audit.locks WHERE kind = 'leaves' FOR UPDATE;
    SELECT number INTO made FROM audit.leaf_tables WHERE leaves = name;
    IF made IS NULL THEN
        EXECUTE format('CREATE TABLE audit.%I (LIKE audit.leaf_template INCLUDING STORAGE)', name);
        INSERT INTO audit.leaf_tables (retention_class, day, partition, leaves, first_period)
        VALUES (class_name, of_day, partition_name, name, date_trunc('month', clock_timestamp())::date)
        RETURNING number INTO made;
    END IF;
    RETURN made;
END
$$;

-- The number of the leaf table of the partition that a day's events go into now. A detached partition of that day, on
-- its way out, has a table of its own.
CREATE FUNCTION audit.leaf_table_of(class_name text, of_day date) RETURNS int
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    found int;
    partition_name text;
BEGIN
    SELECT number INTO found FROM audit.leaf_tables AS t
    WHERE t.retention_class = class_name AND t.day = of_day
        AND EXISTS (SELECT FROM pg_inherits WHERE inhrelid = to_regclass(format('audit.%I', t.partition)))
    ORDER BY number DESC LIMIT 1;
    IF found IS NULL THEN
        SELECT relname INTO partition_name FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
        WHERE inhparent = to_regclass(format('audit.%I', 'events_' || class_name))
            AND substring(relname FROM '_p(\d{8})(?:_\d+)?$') = to_char(of_day, 'YYYYMMDD');
        IF partition_name IS NULL THEN
            RAISE EXCEPTION 'class % has no partition called events_%_p%: its events can''t be sealed; let audit.ensure_partitions make partitions',
                class_name, class_name, to_char(of_day, 'YYYYMMDD');
        END IF;
        found := audit.add_leaf_table(class_name, of_day, partition_name);
    END IF;
    RETURN found;
END
$$;

-- Makes the month of audit.digests where it is missing.
CREATE FUNCTION audit.ensure_digests(month date) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    child text := to_char(month, '"digests_p"YYYYMM');
BEGIN
    IF to_regclass(format('audit.%I', child)) IS NOT NULL THEN
        RETURN;
    END IF;
    PERFORM FROM audit.locks WHERE kind = 'digests' FOR UPDATE;
    -- Not by to_regclass, which remembers that it was not there a moment ago.
    IF EXISTS (SELECT FROM pg_class WHERE relnamespace = 'audit'::regnamespace AND relname = child) THEN
        RETURN;
    END IF;
    EXECUTE format('CREATE TABLE audit.%I (LIKE audit.digests INCLUDING ALL)', child);
    -- A chain that forks would need the same number twice.
    EXECUTE format('CREATE UNIQUE INDEX ON audit.%I (chain, sequence)', child);
    EXECUTE format('ALTER TABLE audit.digests ATTACH PARTITION audit.%I FOR VALUES FROM (%L) TO (%L)',
                   child, to_char(month, 'YYYY-MM-DD'), to_char(month + interval '1 month', 'YYYY-MM-DD'));
END
$$;

-- As in 0004, and with what seals their events: made here, ahead of time, so that no writer waits for another's commit.
CREATE OR REPLACE FUNCTION audit.ensure_partitions(class_name text, days date[]) RETURNS int
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET timezone = 'UTC'
AS $$
DECLARE
    parent text := 'events_' || class_name;
    day date;
    child text;
    made int := 0;
BEGIN
    IF NOT EXISTS (SELECT FROM audit.retention_classes c WHERE c.class = class_name) THEN
        RAISE EXCEPTION 'retention class % is not known; add it to retention: and run auditgraf migrate', class_name;
    END IF;
    FOREACH day IN ARRAY days LOOP
        IF day NOT BETWEEN current_date - 36600 AND current_date + 14 THEN
            RAISE EXCEPTION 'no partition is made for %: out of the accepted window', day;
        END IF;
        CONTINUE WHEN audit.free_partition_name(parent, day) IS NULL;
        PERFORM FROM audit.locks WHERE kind = 'partitions' FOR UPDATE;
        child := audit.free_partition_name(parent, day);
        CONTINUE WHEN child IS NULL;
        -- CREATE .. PARTITION OF would lock the parent against readers and writers; ATTACH does not.
        EXECUTE format('CREATE TABLE audit.%I (LIKE audit.%I INCLUDING ALL)', child, parent);
        EXECUTE format(
            'ALTER TABLE audit.%I ATTACH PARTITION audit.%I FOR VALUES FROM (%L) TO (%L)',
            parent, child, day::timestamptz, (day + 1)::timestamptz);
        PERFORM audit.add_leaf_table(class_name, day, child);
        made := made + 1;
    END LOOP;
    PERFORM audit.ensure_digests(date_trunc('month', current_date + ahead)::date) FROM unnest(ARRAY[0, 14]) AS ahead;
    RETURN made;
END
$$;

-- As in 0003, and waits for a row.
CREATE OR REPLACE FUNCTION audit.ensure_rollups(days date[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET timezone = 'UTC'
AS $$
DECLARE
    day date;
    first date;
    child text;
BEGIN
    FOREACH day IN ARRAY days LOOP
        IF day NOT BETWEEN current_date - 36600 AND current_date + 45 THEN
            RAISE EXCEPTION 'no rollups are kept for %: out of the accepted window', day;
        END IF;
        first := date_trunc('month', day::timestamp)::date;
        child := to_char(first, '"rollups_p"YYYYMM');
        CONTINUE WHEN to_regclass(format('audit.%I', child)) IS NOT NULL;
        PERFORM FROM audit.locks WHERE kind = 'rollups' FOR UPDATE;
        -- Not by to_regclass, which remembers that it was not there a moment ago.
        CONTINUE WHEN EXISTS (SELECT FROM pg_class WHERE relnamespace = 'audit'::regnamespace AND relname = child);
        -- Room in each page, so that a count goes up without a new index entry.
        EXECUTE format('CREATE TABLE audit.%I (LIKE audit.rollups INCLUDING ALL) WITH (fillfactor = 70)', child);
        EXECUTE format('ALTER TABLE audit.rollups ATTACH PARTITION audit.%I FOR VALUES FROM (%L) TO (%L)',
                       child, first::timestamptz, (first + interval '1 month')::timestamptz);
    END LOOP;
END
$$;

-- Adds a link, and its leaves to their tables: places, adds and removes are lists of the same length.
CREATE FUNCTION audit.add_link(
    link_kind text, class_name text, places int[], adds bytea[], removes bytea[], link_detail text DEFAULT NULL,
    at timestamptz DEFAULT clock_timestamp()
) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET timezone = 'UTC'
AS $$
DECLARE
    mine smallint := 0;
    month date := date_trunc('month', at)::date;
    head record;
    place record;
    lines text[] := '{}';
    added bigint := 0;
    body text;
BEGIN
    -- The head of the chain is read after its lock was got, which only a new snapshot makes sure of.
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'events are stored in READ COMMITTED transactions only, so that no chain of digests forks';
    END IF;
    IF link_kind = 'stored' THEN
        SELECT number INTO mine FROM audit.locks WHERE kind = 'chain' AND number BETWEEN 1 AND 32
        ORDER BY number LIMIT 1 FOR UPDATE SKIP LOCKED;
        IF NOT FOUND THEN
            mine := 33;
        END IF;
    END IF;
    IF mine IN (0, 33) THEN
        PERFORM FROM audit.locks WHERE kind = 'chain' AND number = mine FOR UPDATE;
    END IF;
    SELECT sequence, period, digest INTO head FROM audit.digests
    WHERE chain = mine AND period >= month ORDER BY sequence DESC LIMIT 1;
    IF NOT FOUND THEN
        SELECT sequence, period, digest INTO head FROM audit.digests WHERE chain = mine ORDER BY sequence DESC LIMIT 1;
    END IF;
    IF NOT FOUND THEN
        SELECT sequence, period, digest INTO head FROM audit.digest_checkpoints WHERE chain = mine;
    END IF;
    IF NOT FOUND THEN
        SELECT 0::bigint AS sequence, month AS period, decode(repeat('00', 32), 'hex') AS digest INTO head;
    END IF;
    -- A clock that goes back takes the chain along in its order all the same.
    month := greatest(month, head.period);
    PERFORM audit.ensure_digests(month);

    FOR nth IN 1 .. cardinality(places) LOOP
        SELECT * INTO STRICT place FROM audit.leaf_tables WHERE number = places[nth];
        lines := lines || format('%s %s %s %s %s', place.number, coalesce(to_char(place.day, 'YYYY-MM-DD'), '-'),
                                 octet_length(adds[nth]) / 48, octet_length(removes[nth]) / 48,
                                 encode(sha256(adds[nth] || removes[nth]), 'hex'));
        added := added + octet_length(adds[nth]) / 48;
        IF adds[nth] <> '' OR removes[nth] <> '' THEN
            EXECUTE format('INSERT INTO audit.%I (chain, sequence, period, adds, removes) VALUES ($1, $2, $3, $4, $5)',
                           place.leaves) USING mine, head.sequence + 1, month, adds[nth], removes[nth];
        END IF;
        IF place.first_period > month THEN
            UPDATE audit.leaf_tables SET first_period = month WHERE number = place.number;
        END IF;
    END LOOP;

    body := concat_ws(E'\n', 1, mine, head.sequence + 1, to_char(month, 'YYYY-MM-DD'),
                      (extract(epoch FROM at) * 1000000)::bigint, link_kind, class_name, added,
                      coalesce(link_detail, ''), array_to_string(lines, E'\n'));
    INSERT INTO audit.digests (chain, sequence, period, made_at, kind, retention_class, events, covers, detail, form,
                               previous, digest)
    VALUES (mine, head.sequence + 1, month, at, link_kind, class_name, added, array_to_string(lines, E'\n'), link_detail, 1,
            head.digest, sha256(head.digest || convert_to(body, 'UTF8')));
END
$$;

-- After events came into a class: their leaves, by day, and a link. The binary form of text is in client_encoding, which
-- is another one only while this runs: COPY has chosen its own before.
CREATE FUNCTION audit.seal_stored() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET client_encoding = 'UTF8'
AS $$
DECLARE
    -- Of as many events 24 MB are leaves.
    at_once CONSTANT int := 500000;
    pieces int;
    places int[];
    packs bytea[];
BEGIN
    SELECT (count(*) + at_once - 1) / at_once INTO pieces FROM stored;
    FOR piece IN 0 .. pieces - 1 LOOP
        -- As audit.leaf_expression has it, but planned once a session.
        SELECT array_agg(audit.leaf_table_of(TG_ARGV[0], day)), array_agg(leaves) INTO places, packs
        FROM (
            SELECT occurred_at::date AS day, string_agg(
                uuid_send(id) || sha256(record_send(ROW(id, occurred_at, received_at, occurred_ns, observed_ns, source_id,
                    severity, severity_text, action, outcome, actor_id, actor_name, actor_email, actor_type, on_behalf_of,
                    client_ip, client_address, country, city, latitude, longitude, asn, as_org, target_type, target_id,
                    target_name, service, environment, tenant, session_id, trace_id, span_id, user_agent, message, changes,
                    attributes, flags))), '') AS leaves
            FROM stored WHERE pieces = 1 OR abs(uuid_hash(id) % pieces) = piece GROUP BY 1
        ) AS days;
        IF places IS NOT NULL THEN
            PERFORM audit.add_link('stored', TG_ARGV[0], places, packs, array_fill(''::bytea, ARRAY[cardinality(places)]));
        END IF;
    END LOOP;
    RETURN NULL;
END
$$;

-- Has what comes into a class sealed, and again where somebody has switched it off.
CREATE FUNCTION audit.seal_class(class_name text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    parent text := 'events_' || class_name;
    state "char";
BEGIN
    SELECT tgenabled INTO state FROM pg_trigger
    WHERE tgrelid = format('audit.%I', parent)::regclass AND tgname = 'seal_stored';
    IF state IS NULL THEN
        EXECUTE format('CREATE TRIGGER seal_stored AFTER INSERT ON audit.%I REFERENCING NEW TABLE AS stored '
                       'FOR EACH STATEMENT EXECUTE FUNCTION audit.seal_stored(%L)', parent, class_name);
    ELSIF state <> 'O' THEN
        EXECUTE format('ALTER TABLE audit.%I ENABLE TRIGGER seal_stored', parent);
    END IF;
END
$$;

-- As in 0001, and its events are sealed.
CREATE OR REPLACE FUNCTION audit.ensure_class(class_name text, keep_for interval) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    parent text := 'events_' || class_name;
BEGIN
    INSERT INTO audit.retention_classes (class, keep) VALUES (class_name, keep_for)
    ON CONFLICT (class) DO UPDATE SET keep = excluded.keep
    WHERE retention_classes.keep IS DISTINCT FROM excluded.keep;
    IF to_regclass(format('audit.%I', parent)) IS NULL THEN
        EXECUTE format('CREATE TABLE audit.%I (LIKE audit.event_template INCLUDING ALL) PARTITION BY RANGE (occurred_at)', parent);
        EXECUTE format('CREATE INDEX ON audit.%I (occurred_at)', parent);
        EXECUTE format('CREATE INDEX ON audit.%I (actor_id, occurred_at) WHERE actor_id IS NOT NULL', parent);
        EXECUTE format('CREATE INDEX ON audit.%I (target_id, target_type, occurred_at) WHERE target_id IS NOT NULL', parent);
        EXECUTE format('CREATE INDEX ON audit.%I (client_ip, occurred_at) WHERE client_ip IS NOT NULL', parent);
        -- Tiny, and nearly free to keep: a group is found by its arrival even where one record of it is very late.
        EXECUTE format('CREATE INDEX ON audit.%I USING brin (received_at) WITH (autosummarize = on)', parent);
        EXECUTE format('GRANT INSERT ON audit.%I TO auditgraf_writer', parent);
    END IF;
    PERFORM audit.seal_class(class_name);
    PERFORM audit.rebuild_events_view();
END
$$;

-- Seals the events of a leaf table's partition that have no leaf, because they are older than the sealing; answers
-- how many. From then on they are watched; what happened to them before, nobody can tell.
CREATE FUNCTION audit.seal_late(leaf_table int) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp SET client_encoding = 'UTF8' SET work_mem = '64MB'
SET max_parallel_workers_per_gather = 0    -- workers know the server's encoding only
AS $$
DECLARE
    at_once CONSTANT int := 500000;
    place audit.leaf_tables;
    pieces int;
    pack bytea;
    sealed bigint := 0;
BEGIN
    SELECT * INTO STRICT place FROM audit.leaf_tables WHERE number = leaf_table;
    EXECUTE format('SELECT (count(*) + %s) / %s FROM audit.%I', at_once - 1, at_once, place.partition) INTO pieces;
    FOR piece IN 0 .. pieces - 1 LOOP
        EXECUTE format($q$
            SELECT string_agg(%s, '') FROM audit.%I AS event
            WHERE abs(uuid_hash(event.id) %% %s) = %s
              AND NOT EXISTS (SELECT FROM (%s) AS known WHERE known.id = event.id) $q$,
            audit.leaf_expression(), place.partition, pieces, piece, audit.leaves_of(place.leaves, 'adds'))
        INTO pack;
        IF pack IS NOT NULL THEN
            PERFORM audit.add_link('sealed_late', place.retention_class, ARRAY[place.number], ARRAY[pack], ARRAY[''::bytea]);
            sealed := sealed + octet_length(pack) / 48;
        END IF;
    END LOOP;
    RETURN sealed;
END
$$;

-- As in 0004, and a link of the order has the leaves as they are now, and those before, which have to have been right.
CREATE OR REPLACE FUNCTION audit.forget_in(relation regclass, order_id bigint, names text[], pseudonym text, count_only boolean)
RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET client_encoding = 'UTF8'
AS $$
DECLARE
    pattern text := audit.name_pattern(names);
    -- As they are, and as JSON has them: there a quote or a backslash has another before it.
    likely text[] := ARRAY(SELECT '%' || replace(replace(replace(written, '\', '\\'), '%', '\%'), '_', '\_') || '%'
                           FROM unnest(names) AS name,
                               LATERAL (SELECT name UNION SELECT substr(quoted, 2, length(quoted) - 2)
                                        FROM CAST(to_jsonb(name) AS text) AS quoted) AS form (written));
    concerned text := $q$
        SELECT ctid AS place, is_actor, is_target, own, audit.name_pattern(own) AS own_pattern, $q$
        || audit.leaf_expression() || $q$ AS leaf_before
        FROM (
            SELECT ctid, e.*,
                   coalesce(lower(actor_id) = ANY ($1), false) OR coalesce(lower(actor_name) = ANY ($1), false)
                   OR coalesce(lower(actor_email) = ANY ($1), false) AS is_actor,
                   coalesce(lower(target_id) = ANY ($1), false) OR coalesce(lower(target_name) = ANY ($1), false) AS is_target
            FROM %1$s AS e
            -- Cheap, and never wrong in this direction: what follows is asked of few rows only.
            WHERE lower(concat_ws(' ', actor_id, actor_name, actor_email, on_behalf_of, target_id, target_name, session_id,
                                  client_address, user_agent, message)) LIKE ANY ($2)
               OR lower(attributes::text) LIKE ANY ($2) OR lower(changes::text) LIKE ANY ($2)
        ) AS likely
        CROSS JOIN LATERAL (
            SELECT CASE WHEN is_actor
                        THEN $1 || array_remove(ARRAY[lower(actor_id), lower(actor_name), lower(actor_email), host(client_ip),
                                                      lower(client_address), lower(session_id)], NULL)
                        ELSE $1 END AS own
        ) AS called
        WHERE NOT coalesce(attributes -> 'auditgraf.forget_orders' @> to_jsonb($5::bigint), false)
          AND (is_actor OR is_target
               OR audit.pseudonymised(attributes, $1, $3, $4) IS DISTINCT FROM attributes
               OR audit.pseudonymised(changes, $1, $3, $4) IS DISTINCT FROM changes
               OR EXISTS (SELECT FROM unnest(ARRAY[actor_id, actor_name, actor_email, on_behalf_of, target_id, target_name,
                                                   session_id, client_address, user_agent, message]) AS given
                          WHERE audit.pseudonymised(given, $1, $3, $4) <> given)) $q$;
    -- Held events have leaves of their own once their partition is gone, restored ones have none.
    class_of text := CASE relation WHEN 'audit.held_events'::regclass THEN 'CASE WHEN partition IS NULL THEN retention_class END'
                                   WHEN 'audit.restored_events'::regclass THEN 'NULL::text'
                                   ELSE '''''' END;
    touched bigint := 0;
    changed record;
    leaf_table audit.leaf_tables;
BEGIN
    IF count_only THEN
        EXECUTE format('SELECT count(*) FROM (' || concerned || ') AS concerned', relation)
        INTO touched USING names, likely, pattern, pseudonym, order_id;
        RETURN touched;
    END IF;
    FOR changed IN EXECUTE format($q$
        WITH concerned AS MATERIALIZED ($q$ || concerned || $q$), changed AS (
        UPDATE %1$s AS e SET
            actor_id = CASE WHEN is_actor AND actor_id IS NOT NULL THEN $4
                            ELSE audit.pseudonymised(actor_id, $1, $3, $4) END,
            actor_name = CASE WHEN is_actor AND actor_name IS NOT NULL THEN $4
                              ELSE audit.pseudonymised(actor_name, $1, $3, $4) END,
            actor_email = CASE WHEN is_actor AND actor_email IS NOT NULL THEN $4
                               ELSE audit.pseudonymised(actor_email, $1, $3, $4) END,
            on_behalf_of = audit.pseudonymised(on_behalf_of, own, own_pattern, $4),
            client_ip = CASE WHEN NOT is_actor THEN client_ip END,
            client_address = CASE WHEN NOT is_actor THEN audit.pseudonymised(client_address, $1, $3, $4) END,
            city = CASE WHEN NOT is_actor THEN city END,
            latitude = CASE WHEN NOT is_actor THEN latitude END,
            longitude = CASE WHEN NOT is_actor THEN longitude END,
            asn = CASE WHEN NOT is_actor THEN asn END,
            as_org = CASE WHEN NOT is_actor THEN as_org END,
            target_id = CASE WHEN is_target AND target_id IS NOT NULL AND lower(target_name) = ANY ($1) THEN $4
                             ELSE audit.pseudonymised(target_id, own, own_pattern, $4) END,
            target_name = CASE WHEN is_target AND target_name IS NOT NULL THEN $4
                               ELSE audit.pseudonymised(target_name, own, own_pattern, $4) END,
            session_id = CASE WHEN NOT is_actor THEN audit.pseudonymised(session_id, $1, $3, $4) END,
            user_agent = CASE WHEN NOT is_actor THEN audit.pseudonymised(user_agent, $1, $3, $4) END,
            message = audit.pseudonymised(message, own, own_pattern, $4),
            changes = CASE WHEN is_target AND jsonb_typeof(changes) = 'object'
                           THEN (SELECT coalesce(jsonb_object_agg(field, '{"changed": true}'::jsonb), '{}')
                                 FROM jsonb_object_keys(changes) AS field)
                           ELSE audit.pseudonymised(changes, own, own_pattern, $4) END,
            attributes = audit.pseudonymised(attributes, own, own_pattern, $4) || jsonb_build_object('auditgraf.forget_orders',
                coalesce(attributes -> 'auditgraf.forget_orders', '[]') || to_jsonb($5::bigint)),
            flags = CASE WHEN 'pseudonymised' = ANY (flags) THEN flags ELSE array_append(flags, 'pseudonymised') END
        FROM concerned WHERE e.ctid = concerned.place
        RETURNING %2$s AS class_of, %3$s AS leaf_now, leaf_before
        )
        SELECT class_of, count(*) AS events, string_agg(leaf_now, '') AS now, string_agg(leaf_before, '') AS before
        FROM changed GROUP BY class_of $q$, relation, class_of, audit.leaf_expression())
    USING names, likely, pattern, pseudonym, order_id
    LOOP
        touched := touched + changed.events;
        SELECT t.* INTO leaf_table FROM audit.leaf_tables AS t
        WHERE t.partition = (SELECT relname FROM pg_class WHERE oid = relation AND relnamespace = 'audit'::regnamespace)
            AND (changed.class_of = '' OR t.retention_class = changed.class_of);
        IF FOUND THEN
            PERFORM audit.add_link('pseudonymised', leaf_table.retention_class, ARRAY[leaf_table.number], ARRAY[changed.now],
                                   ARRAY[changed.before], jsonb_build_object('order', order_id)::text);
        END IF;
    END LOOP;
    RETURN touched;
END
$$;

-- The leaves of a partition's events that stay as held ones, with all that led to them, into the table of held leaves.
CREATE FUNCTION audit.keep_held_leaves(place audit.leaf_tables, relation oid) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp SET client_encoding = 'UTF8' SET max_parallel_workers_per_gather = 0
AS $$
DECLARE
    kept bytea;
    past bytea;
    unsealed bytea;
BEGIN
    EXECUTE format('SELECT string_agg(uuid_send(id) || digest, '''') FROM (%s) AS leaf WHERE id IN '
                   '(SELECT id FROM audit.held_events WHERE partition = $1)', audit.leaves_of(place.leaves, 'adds'))
    INTO kept USING relation;
    EXECUTE format('SELECT string_agg(uuid_send(id) || digest, '''') FROM (%s) AS leaf WHERE id IN '
                   '(SELECT id FROM audit.held_events WHERE partition = $1)', audit.leaves_of(place.leaves, 'removes'))
    INTO past USING relation;
    -- Only where there were events before there were leaves; else one without a leaf is what verify has to find.
    IF EXISTS (SELECT FROM audit.digests WHERE chain = 0 AND kind = 'unsealed' AND covers LIKE place.number || ' %') THEN
        EXECUTE format('SELECT string_agg(%s, '''') FROM audit.held_events AS event WHERE partition = $1 '
                       'AND NOT EXISTS (SELECT FROM (%s) AS known WHERE known.id = event.id)',
                       audit.leaf_expression(), audit.leaves_of(place.leaves, 'adds'))
        INTO unsealed USING relation;
    END IF;
    PERFORM audit.add_link('held', place.retention_class,
                           ARRAY[audit.add_leaf_table(place.retention_class, NULL, 'held_events')],
                           ARRAY[coalesce(kept, '') || coalesce(unsealed, '')], ARRAY[coalesce(past, '')]);
END
$$;

-- Before a partition is dropped, in the same transaction: what stays of its leaves, and the link that says that it went.
CREATE FUNCTION audit.retire_leaves(partition_name text, relation oid, events bigint) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    place audit.leaf_tables;
BEGIN
    SELECT t.* INTO place FROM audit.leaf_tables AS t WHERE t.partition = partition_name;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    IF EXISTS (SELECT FROM audit.held_events AS h WHERE h.partition = relation) THEN
        PERFORM audit.keep_held_leaves(place, relation);
    END IF;
    PERFORM audit.retire_leaf_table(place, jsonb_build_object(
        'partition', partition_name, 'events', events, 'archive', (
            SELECT jsonb_build_object('manifest', a.manifest, 'sha256', a.sha256, 'events', a.events)
            FROM audit.archives AS a WHERE a.relation = retire_leaves.relation AND a.finished_at IS NOT NULL
            ORDER BY a.id DESC LIMIT 1)));
    PERFORM audit.drop_expired_digests();
END
$$;

CREATE FUNCTION audit.retire_leaf_table(place audit.leaf_tables, what jsonb) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM audit.add_link('retired', place.retention_class, ARRAY[place.number], ARRAY[''::bytea], ARRAY[''::bytea],
                           what::text);
    EXECUTE format('DROP TABLE audit.%I', place.leaves);
    DELETE FROM audit.leaf_tables WHERE number = place.number;
END
$$;

-- Deletes up to so many held events that no hold wants any more: copies whose event is where it was, and events whose
-- time is over. Answers their class, and whether they were all there was; of those a link says that they were let go.
CREATE FUNCTION audit.let_go(at_most int) RETURNS TABLE (retention_class text, was_all boolean)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET client_encoding = 'UTF8'
AS $$
DECLARE
    gone record;
    place audit.leaf_tables;
BEGIN
    FOR gone IN EXECUTE format($q$
        WITH wanted AS (
            SELECT coalesce(array_agg(id), '{}'::bigint[]) AS ids FROM audit.holds WHERE released_at IS NULL
        ), chosen AS (
            SELECT held.id, held.occurred_at, held.retention_class
            FROM audit.held_events AS held
            JOIN audit.retention_classes AS class ON class.class = held.retention_class
            CROSS JOIN wanted
            WHERE NOT held.hold_ids && wanted.ids
              AND (held.partition IS NOT NULL
                   OR held.occurred_at < date_trunc('day', clock_timestamp() - class.keep, 'UTC'))
            LIMIT $1
        ), deleted AS (
            DELETE FROM audit.held_events AS held USING chosen
            WHERE held.id = chosen.id AND held.occurred_at = chosen.occurred_at
              AND held.retention_class = chosen.retention_class
            RETURNING held.*
        )
        SELECT retention_class, partition IS NULL AS was_all, count(*) AS events, string_agg(%s, '') AS leaves
        FROM deleted GROUP BY 1, 2 $q$, audit.leaf_expression()) USING at_most
    LOOP
        IF gone.was_all THEN
            SELECT t.* INTO place FROM audit.leaf_tables AS t
            WHERE t.partition = 'held_events' AND t.retention_class = gone.retention_class;
            IF FOUND THEN
                PERFORM audit.add_link('released', gone.retention_class, ARRAY[place.number], ARRAY[''::bytea],
                                       ARRAY[gone.leaves]);
            END IF;
        END IF;
        RETURN QUERY SELECT gone.retention_class, gone.was_all FROM generate_series(1, gone.events);
    END LOOP;
    FOR place IN
        SELECT t.* FROM audit.leaf_tables AS t
        WHERE t.partition = 'held_events' AND NOT EXISTS (
            SELECT FROM audit.held_events AS h WHERE h.partition IS NULL AND h.retention_class = t.retention_class)
    LOOP
        PERFORM audit.retire_leaf_table(place, '{"partition": "held_events"}');
    END LOOP;
END
$$;

-- Drops the first months of links once nothing is left that they seal, and keeps the last link of each chain as where it
-- begins from then on; a link on chain 0 says so. Where somebody reads them, the next time is early enough.
CREATE FUNCTION audit.drop_expired_digests() RETURNS int
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET lock_timeout = '500ms'
AS $$
DECLARE
    child record;
    dropped int := 0;
BEGIN
    FOR child IN
        SELECT relname, to_date(right(relname, 6), 'YYYYMM') AS month
        FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
        WHERE inhparent = 'audit.digests'::regclass ORDER BY relname
    LOOP
        EXIT WHEN child.month >= date_trunc('month', now())::date
            OR EXISTS (SELECT FROM audit.leaf_tables WHERE first_period <= child.month);
        BEGIN
            LOCK TABLE audit.digests IN ACCESS EXCLUSIVE MODE;
        EXCEPTION WHEN lock_not_available THEN
            EXIT;
        END;
        INSERT INTO audit.digest_checkpoints AS known (chain, sequence, period, digest)
        SELECT last.* FROM generate_series(0, 33) AS number CROSS JOIN LATERAL (
            SELECT chain, sequence, period, digest FROM audit.digests
            WHERE chain = number AND period = child.month ORDER BY sequence DESC LIMIT 1
        ) AS last
        ON CONFLICT (chain) DO UPDATE
        SET sequence = excluded.sequence, period = excluded.period, digest = excluded.digest;
        EXECUTE format('DROP TABLE audit.%I', child.relname);
        dropped := dropped + 1;
    END LOOP;
    IF dropped > 0 THEN
        PERFORM audit.add_link('expired', '', '{}', '{}', '{}', (
            SELECT jsonb_agg(jsonb_build_array(chain, sequence, encode(digest, 'hex')) ORDER BY chain)::text
            FROM audit.digest_checkpoints));
    END IF;
    RETURN dropped;
END
$$;

-- What the reader sees.
CREATE VIEW audit.digest_links AS
SELECT chain, sequence, made_at, kind, retention_class, events, detail::jsonb AS detail FROM audit.digests;

CREATE VIEW audit.verifications AS
SELECT started_at, finished_at, events, links, findings, detail FROM audit.verification_runs;

-- Trigger functions too: who may execute one can have it fired by a table of their own.
REVOKE ALL ON FUNCTION audit.leaf_expression(), audit.leaves_of(text, text), audit.add_leaf_table(text, date, text),
    audit.leaf_table_of(text, date), audit.ensure_digests(date),
    audit.add_link(text, text, int[], bytea[], bytea[], text, timestamptz), audit.seal_stored(), audit.seal_class(text),
    audit.seal_late(int), audit.keep_held_leaves(audit.leaf_tables, oid), audit.retire_leaves(text, oid, bigint),
    audit.retire_leaf_table(audit.leaf_tables, jsonb), audit.let_go(int), audit.drop_expired_digests()
FROM PUBLIC;
GRANT SELECT ON audit.digest_links, audit.verifications TO auditgraf_reader;

-- Classes and events that are there already: the events have no leaves, and a link says how many of them there are.
DO $$
DECLARE
    known record;
    counted bigint;
    number int;
    held bytea;
BEGIN
    PERFORM audit.seal_class(class) FROM audit.retention_classes;
    FOR known IN SELECT retention_class, partition, (range_start AT TIME ZONE 'UTC')::date AS day FROM audit.partitions LOOP
        number := audit.add_leaf_table(known.retention_class, known.day, known.partition);
        EXECUTE format('SELECT count(*) FROM audit.%I', known.partition) INTO counted;
        IF counted > 0 THEN
            PERFORM audit.add_link('unsealed', known.retention_class, ARRAY[number], ARRAY[''::bytea], ARRAY[''::bytea],
                                   jsonb_build_object('events', counted)::text);
        END IF;
    END LOOP;
    SET LOCAL client_encoding = 'UTF8';
    SET LOCAL max_parallel_workers_per_gather = 0;
    FOR known IN SELECT DISTINCT retention_class FROM audit.held_events WHERE partition IS NULL LOOP
        EXECUTE format('SELECT string_agg(%s, '''') FROM audit.held_events WHERE partition IS NULL AND retention_class = $1',
                       audit.leaf_expression()) INTO held USING known.retention_class;
        PERFORM audit.add_link('held', known.retention_class,
                               ARRAY[audit.add_leaf_table(known.retention_class, NULL, 'held_events')], ARRAY[held],
                               ARRAY[''::bytea]);
    END LOOP;
END
$$;
