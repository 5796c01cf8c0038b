-- Retention: its runs, holds, archives, orders to forget a person; what of them the reader sees.
-- Runs as auditgraf_owner inside one transaction; see exporter/store/migrate.py. Nobody but the owner may write here.

-- A class of such a name would take the names of another class's partitions: log_p20260101 those of log.
ALTER TABLE audit.retention_classes ADD CONSTRAINT no_name_of_a_partition CHECK (class !~ '_p\d{8}(_\d+)?$');

-- One row a run of the job.
CREATE TABLE audit.retention_runs (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    finished_at timestamptz,
    instance text NOT NULL,                -- host and process
    clock_believed boolean NOT NULL,       -- whether the time of this run counts as evidence for later ones
    outcome text NOT NULL DEFAULT 'running' CHECK (outcome IN ('running', 'done', 'failed')),
    detail text
);

-- What a run did, a row a partition.
CREATE TABLE audit.retention_steps (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run_id bigint NOT NULL REFERENCES audit.retention_runs,
    started_at timestamptz NOT NULL,
    finished_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    retention_class text,
    partition text,
    action text NOT NULL CHECK (action IN ('created', 'dropped', 'kept', 'failed', 'archived')),
    events bigint,
    bytes bigint,
    detail text
);
CREATE INDEX ON audit.retention_steps (run_id);

-- Partitions on their way out: between the detach and the drop nothing else tells a partition from any other table.
CREATE TABLE audit.retiring (
    relation oid PRIMARY KEY,
    partition text NOT NULL,
    retention_class text NOT NULL,
    range_start timestamptz NOT NULL,
    range_end timestamptz NOT NULL,
    archived_events bigint,                -- how many the verified archive has; NULL: none was asked for
    begun_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- What has to be told as an audit event, written with the change that it tells of; announced_at once it is one.
CREATE TABLE audit.journal (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    action text NOT NULL,
    outcome text NOT NULL DEFAULT 'success',
    actor text,                            -- NULL: the job itself
    target_type text,
    target_id text,
    message text NOT NULL,
    attributes jsonb NOT NULL DEFAULT '{}',
    announced_at timestamptz
);
CREATE INDEX ON audit.journal (id) WHERE announced_at IS NULL;

-- Who wants which events kept beyond their time, and why.
CREATE TABLE audit.holds (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    created_by text NOT NULL,
    reason text NOT NULL CHECK (reason <> ''),
    filter text,                           -- as it was given; NULL: every event
    conditions jsonb,                      -- the same, parsed
    events bigint,                         -- that matched when it was created; NULL: not counted yet
    released_at timestamptz,
    released_by text,
    release_reason text
);

-- Held events whose partition is gone, or is about to be.
CREATE TABLE audit.held_events (
    LIKE audit.event_template,
    retention_class text NOT NULL,
    hold_ids bigint[] NOT NULL,
    partition oid,                         -- where the event still is as well; NULL: it is nowhere else
    PRIMARY KEY (id, occurred_at, retention_class)
);
CREATE INDEX ON audit.held_events (occurred_at);
CREATE INDEX ON audit.held_events (actor_id, occurred_at) WHERE actor_id IS NOT NULL;
CREATE INDEX ON audit.held_events (target_id, target_type, occurred_at) WHERE target_id IS NOT NULL;
CREATE INDEX ON audit.held_events (partition) WHERE partition IS NOT NULL;
CREATE INDEX ON audit.held_events USING gin (hold_ids);

-- Archives that were made, and those that were begun.
CREATE TABLE audit.archives (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    finished_at timestamptz,               -- NULL: being written, or given up
    relation oid NOT NULL,
    retention_class text NOT NULL,
    partition text NOT NULL,
    range_start timestamptz NOT NULL,
    range_end timestamptz NOT NULL,
    location text NOT NULL,                -- folder or bucket, without credentials
    manifest text NOT NULL,                -- its name below the location
    format text NOT NULL,
    events bigint,
    bytes bigint,
    sha256 text                            -- of the events' canonical lines
);
CREATE INDEX ON audit.archives (relation);

-- Events brought back from archives, until they are unloaded. Retention leaves them alone.
CREATE TABLE audit.restored_events (
    LIKE audit.event_template,
    retention_class text NOT NULL,
    archive text NOT NULL,                 -- the manifest that they came from
    PRIMARY KEY (id, occurred_at, retention_class)
);
CREATE INDEX ON audit.restored_events (occurred_at);
CREATE INDEX ON audit.restored_events (actor_id, occurred_at) WHERE actor_id IS NOT NULL;
CREATE INDEX ON audit.restored_events (target_id, target_type, occurred_at) WHERE target_id IS NOT NULL;

-- Orders to forget a person. What the person was called is here only until the order is done.
CREATE TABLE audit.forget_orders (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    finished_at timestamptz,
    requested_by text NOT NULL,
    order_text text,                       -- e.g. a ticket's number
    pseudonym text NOT NULL UNIQUE,        -- random
    identity_hash bytea NOT NULL,          -- HMAC-SHA-256 of what the person was called, under forget_key
    names text[],                          -- what is looked for, until the order is done
    events bigint NOT NULL DEFAULT 0
);

-- Tables that an order is done with.
CREATE TABLE audit.forget_progress (
    order_id bigint NOT NULL REFERENCES audit.forget_orders,
    partition text NOT NULL,
    events bigint NOT NULL,
    PRIMARY KEY (order_id, partition)
);

-- Without it nobody can try names against the hashes of the orders.
CREATE TABLE audit.forget_key (
    only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    key bytea NOT NULL
);
INSERT INTO audit.forget_key (key)
SELECT sha256(convert_to(string_agg(gen_random_uuid()::text, ''), 'UTF8')) FROM generate_series(1, 4);

-- As in 0001, but for names: one that a partition on its way out still has is no partition, and late events of that
-- day go into another, which the next run retires.
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
        PERFORM pg_advisory_xact_lock(hashtextextended('audit.ensure_partitions', 0));
        child := audit.free_partition_name(parent, day);
        CONTINUE WHEN child IS NULL;
        -- CREATE .. PARTITION OF would lock the parent against readers and writers; ATTACH does not.
        EXECUTE format('CREATE TABLE audit.%I (LIKE audit.%I INCLUDING ALL)', child, parent);
        EXECUTE format(
            'ALTER TABLE audit.%I ATTACH PARTITION audit.%I FOR VALUES FROM (%L) TO (%L)',
            parent, child, day::timestamptz, (day + 1)::timestamptz);
        made := made + 1;
    END LOOP;
    RETURN made;
END
$$;

-- The name for a new partition of that UTC day; NULL where there is one. It asks pg_class itself: to_regclass may not
-- know yet what another session made while this one waited for its turn.
CREATE FUNCTION audit.free_partition_name(parent text, day date) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    base text := parent || to_char(day, '"_p"YYYYMMDD');
    child text := base;
    tried int := 1;
BEGIN
    WHILE EXISTS (SELECT FROM pg_class WHERE relname = child AND relnamespace = 'audit'::regnamespace) LOOP
        IF EXISTS (SELECT FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
                   WHERE relname = child AND relnamespace = 'audit'::regnamespace) THEN
            RETURN NULL;
        END IF;
        tried := tried + 1;
        child := base || '_' || tried;
    END LOOP;
    RETURN child;
END
$$;

-- As in 0001, with an arm for held events and one for restored ones. A held event shows only while it is not in its
-- partition: the catalogue is read under the same snapshot as the events, so it is never there twice, or not at all.
CREATE OR REPLACE FUNCTION audit.rebuild_events_view() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    columns text;
    restored text;
    arms text;
BEGIN
    SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum),
           string_agg(CASE attname WHEN 'flags' THEN $q$array_append(flags, 'restored') AS flags$q$
                                   ELSE quote_ident(attname) END, ', ' ORDER BY attnum)
    INTO columns, restored
    FROM pg_attribute WHERE attrelid = 'audit.event_template'::regclass AND attnum > 0 AND NOT attisdropped;
    SELECT string_agg(format('SELECT %s, %L::text AS retention_class FROM audit.%I', columns, class, 'events_' || class),
                      E'\nUNION ALL\n' ORDER BY class) INTO arms
    FROM audit.retention_classes;
    EXECUTE format($q$
        CREATE OR REPLACE VIEW audit.events AS %s
        UNION ALL
        SELECT %s, retention_class FROM audit.held_events
        WHERE NOT EXISTS (SELECT FROM pg_inherits WHERE inhrelid = partition AND NOT inhdetachpending)
        UNION ALL
        SELECT %s, retention_class FROM audit.restored_events $q$, arms, columns, restored);
    EXECUTE 'GRANT SELECT ON audit.events TO auditgraf_reader';
END
$$;

-- Partitions of all classes: what a run, a plan and an order to forget go through. `pending`: a detach was interrupted.
-- `events` is an estimate, from the density that the last ANALYZE found, or one of 500 bytes an event.
CREATE VIEW audit.partitions AS
SELECT class AS retention_class, keep, c.oid AS relation, c.relname::text AS partition, i.inhdetachpending AS pending,
       (bound.texts[1])::timestamptz AS range_start, (bound.texts[2])::timestamptz AS range_end,
       CASE WHEN c.reltuples >= 0 AND c.relpages > 0
            THEN (c.reltuples / c.relpages * (pg_relation_size(c.oid) / current_setting('block_size')::int))::bigint
            ELSE pg_relation_size(c.oid) / 500 END AS events,
       pg_total_relation_size(c.oid) AS bytes
FROM audit.retention_classes
JOIN pg_inherits i ON i.inhparent = to_regclass(format('audit.%I', 'events_' || class))
JOIN pg_class c ON c.oid = i.inhrelid
CROSS JOIN LATERAL (
    SELECT regexp_match(pg_get_expr(c.relpartbound, c.oid), $r$FROM \('(.*?)'\) TO \('(.*?)'\)$r$) AS texts
) AS bound;

-- The parts of a name that are looked for within longer texts: whatever is no number and long enough to mean somebody.
CREATE FUNCTION audit.name_pattern(names text[]) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
RETURN (
    SELECT '(?<![[:alnum:]_])(?:'
           || string_agg(regexp_replace(name, '([][\\.*+?^${}()|/-])', '\\\1', 'g'), '|' ORDER BY length(name) DESC)
           || ')(?![[:alnum:]_])'
    FROM unnest(names) AS name WHERE length(name) >= 3 AND name !~ '^\d+$'
);

-- A text in which the pseudonym stands for the person.
CREATE FUNCTION audit.pseudonymised(given text, names text[], pattern text, pseudonym text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
RETURN CASE
    WHEN given IS NULL THEN NULL
    WHEN lower(given) = ANY (names) THEN pseudonym
    WHEN pattern IS NULL THEN given
    ELSE regexp_replace(given, pattern, pseudonym, 'gi')
END;

-- The same for JSON: texts and keys; a number only where its key says that it is an id.
CREATE FUNCTION audit.pseudonymised(given jsonb, names text[], pattern text, pseudonym text, key text DEFAULT '')
RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    CASE jsonb_typeof(given)
        WHEN 'string' THEN RETURN to_jsonb(audit.pseudonymised(given #>> '{}', names, pattern, pseudonym));
        WHEN 'number' THEN
            IF key ~* 'u?id$' AND given #>> '{}' = ANY (names) THEN
                RETURN to_jsonb(pseudonym);
            END IF;
        WHEN 'object' THEN
            RETURN (SELECT coalesce(jsonb_object_agg(audit.pseudonymised(member.key, names, pattern, pseudonym),
                                    audit.pseudonymised(member.value, names, pattern, pseudonym, member.key)), '{}')
                    FROM jsonb_each(given) AS member);
        WHEN 'array' THEN
            RETURN (SELECT coalesce(jsonb_agg(audit.pseudonymised(item, names, pattern, pseudonym, key) ORDER BY place), '[]')
                    FROM jsonb_array_elements(given) WITH ORDINALITY AS items (item, place));
        ELSE NULL;
    END CASE;
    RETURN given;
END
$$;

-- Pseudonymises a person in one table of events; returns how many events it changed, or would change.
-- names: what the person is called, in lower case. The person's own events lose address, place, session and program;
-- events about the person keep which fields were changed, without the values. The order's number stays with each event.
CREATE FUNCTION audit.forget_in(relation regclass, order_id bigint, names text[], pseudonym text, count_only boolean)
RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    pattern text := audit.name_pattern(names);
    likely text[] := ARRAY(SELECT '%' || replace(replace(replace(name, '\', '\\'), '%', '\%'), '_', '\_') || '%'
                           FROM unnest(names) AS name);
    concerned text := $q$
        SELECT ctid AS place, is_actor, is_target, own, audit.name_pattern(own) AS own_pattern
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
    touched bigint;
BEGIN
    IF count_only THEN
        EXECUTE format('SELECT count(*) FROM (' || concerned || ') AS concerned', relation)
        INTO touched USING names, likely, pattern, pseudonym, order_id;
        RETURN touched;
    END IF;
    EXECUTE format($q$
        WITH concerned AS MATERIALIZED ($q$ || concerned || $q$)
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
        FROM concerned WHERE e.ctid = concerned.place $q$, relation)
    USING names, likely, pattern, pseudonym, order_id;
    GET DIAGNOSTICS touched = ROW_COUNT;
    RETURN touched;
END
$$;

-- What the reader sees.
CREATE VIEW audit.retention_log AS
SELECT started_at, finished_at, retention_class, partition, action, events, bytes, detail FROM audit.retention_steps
UNION ALL
SELECT started_at, finished_at, NULL, NULL, 'failed', NULL, NULL, detail FROM audit.retention_runs WHERE outcome = 'failed';

CREATE VIEW audit.active_holds AS
SELECT id, created_at, created_by, reason, coalesce(filter, '(every event)') AS filter, events
FROM audit.holds WHERE released_at IS NULL;

REVOKE ALL ON FUNCTION audit.forget_in(regclass, bigint, text[], text, boolean), audit.free_partition_name(text, date)
FROM PUBLIC;
GRANT SELECT ON audit.retention_log, audit.active_holds TO auditgraf_reader;

-- A database that has classes already gets its view with the new arms; else the first class makes it.
DO $$
BEGIN
    IF EXISTS (SELECT FROM audit.retention_classes) THEN
        PERFORM audit.rebuild_events_view();
    END IF;
END
$$;
