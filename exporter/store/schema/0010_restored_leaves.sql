-- What tamper evidence did not see: restored events get leaves, a link says that a day is on its way out before it is
-- hidden, and nobody but the owner can take what runs wait for. Runs as auditgraf_owner inside one transaction.

-- Not validated: what is there was made under a narrower check.
ALTER TABLE audit.digests
    DROP CONSTRAINT digests_kind_check,
    ADD CONSTRAINT digests_kind_check CHECK (kind IN (
        'stored', 'unsealed', 'sealed_late', 'pseudonymised', 'held', 'released', 'retiring', 'taken_back', 'retired',
        'restored', 'unloaded', 'expired')) NOT VALID;

-- What a run of retention, an order or a restore locks for as long as it lasts, so that there is one at a time: with LOCK
-- TABLE, in a session that does nothing else. A lock of a row would keep VACUUM from removing anything meanwhile, one of
-- a table would have it wait; a view has nothing to vacuum. An advisory lock can be taken by whoever may send a query.
CREATE VIEW audit.retention_lock AS SELECT 'LOCK TABLE audit.retention_lock' AS what_runs_do;

-- As in 0006, for restored events too.
CREATE OR REPLACE FUNCTION audit.add_leaf_table(class_name text, of_day date, partition_name text) RETURNS int
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    name text := CASE WHEN of_day IS NOT NULL THEN 'leaves_' || substring(partition_name FROM '^events_(.*)$')
                      ELSE 'leaves_' || class_name || '_' || substring(partition_name FROM '^(.*)_events$') END;
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

-- As in 0006, and restored events have leaves.
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
    -- Held events have leaves of their own once their partition is gone, restored ones from the start.
    class_of text := CASE relation WHEN 'audit.held_events'::regclass THEN 'CASE WHEN partition IS NULL THEN retention_class END'
                                   WHEN 'audit.restored_events'::regclass THEN 'retention_class'
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

-- Notes that a partition is to go, before it is detached; a link says so, or else whoever hides a day could note it.
CREATE FUNCTION audit.begin_retiring(
    of_relation oid, of_partition text, of_class text, starts timestamptz, ends timestamptz, archived bigint
) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    INSERT INTO audit.retiring (relation, partition, retention_class, range_start, range_end, archived_events)
    VALUES (of_relation, of_partition, of_class, starts, ends, archived)
    ON CONFLICT (relation) DO UPDATE SET archived_events = excluded.archived_events;
    PERFORM audit.add_link('retiring', t.retention_class, ARRAY[t.number], ARRAY[''::bytea], ARRAY[''::bytea],
                           jsonb_build_object('partition', of_partition)::text)
    FROM audit.leaf_tables AS t WHERE t.partition = of_partition;
END
$$;

-- The partition was dropped, or it stays: then a link takes back what the other one said.
CREATE FUNCTION audit.end_retiring(of_relation oid) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    of_partition text;
BEGIN
    DELETE FROM audit.retiring WHERE relation = of_relation RETURNING partition INTO of_partition;
    PERFORM audit.add_link('taken_back', t.retention_class, ARRAY[t.number], ARRAY[''::bytea], ARRAY[''::bytea],
                           jsonb_build_object('partition', of_partition)::text)
    FROM audit.leaf_tables AS t WHERE t.partition = of_partition;
END
$$;

-- As in 0006, and the link says where the archive is: what has that name there has to be that archive.
CREATE OR REPLACE FUNCTION audit.retire_leaves(partition_name text, relation oid, events bigint) RETURNS void
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
            SELECT jsonb_build_object('location', a.location, 'manifest', a.manifest, 'sha256', a.sha256, 'events', a.events)
            FROM audit.archives AS a WHERE a.relation = retire_leaves.relation AND a.finished_at IS NOT NULL
            ORDER BY a.id DESC LIMIT 1)));
    PERFORM audit.drop_expired_digests();
END
$$;

-- An archive was written anew because of an order, and stands in for the one before.
CREATE FUNCTION audit.seal_rewritten(
    class_name text, order_id bigint, location text, manifest text, rewritten_as text, sha256 text
) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM audit.add_link('pseudonymised', class_name, '{}', '{}', '{}', jsonb_build_object(
        'order', order_id, 'rewritten', manifest,
        'archive', jsonb_build_object('location', location, 'manifest', rewritten_as, 'sha256', sha256))::text);
END
$$;

-- Leaves of events that came back from an archive: its location, manifest and SHA-256, as far as they are known.
CREATE FUNCTION audit.seal_restored(class_name text, leaves bytea, archive jsonb) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM audit.add_link('restored', class_name, ARRAY[audit.add_leaf_table(class_name, NULL, 'restored_events')],
                           ARRAY[leaves], ARRAY[''::bytea], jsonb_build_object('archive', archive)::text);
END
$$;

-- Removes restored events of a range of time, or all where `since` is NULL, and their leaves; how many events.
CREATE FUNCTION audit.unload_restored(since timestamptz, until timestamptz) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp SET client_encoding = 'UTF8' SET max_parallel_workers_per_gather = 0
AS $$
DECLARE
    at_once CONSTANT int := 500000;
    removed bigint;
    place audit.leaf_tables;
    gone record;
BEGIN
    -- Nobody may restore meanwhile: leaves go with the last event of their class.
    LOCK TABLE audit.restored_events IN SHARE ROW EXCLUSIVE MODE;
    SELECT count(*) INTO removed FROM audit.restored_events AS r
    WHERE since IS NULL OR r.occurred_at >= since AND r.occurred_at < until;
    IF since IS NULL THEN
        -- At once, whatever is in it; DELETE would leave the space behind.
        TRUNCATE audit.restored_events;
    ELSE
        FOR gone IN EXECUTE format($q$
            WITH deleted AS (
                DELETE FROM audit.restored_events WHERE occurred_at >= $1 AND occurred_at < $2
                RETURNING retention_class, archive, id, %s AS leaf
            )
            SELECT retention_class, archive, string_agg(leaf, '') AS leaves
            FROM deleted GROUP BY retention_class, archive, abs(uuid_hash(id) %% $3) $q$, audit.leaf_expression())
        USING since, until, (removed / at_once + 1)::int
        LOOP
            SELECT t.* INTO place FROM audit.leaf_tables AS t
            WHERE t.partition = 'restored_events' AND t.retention_class = gone.retention_class;
            IF FOUND THEN
                PERFORM audit.add_link('unloaded', gone.retention_class, ARRAY[place.number], ARRAY[''::bytea],
                                       ARRAY[gone.leaves],
                                       jsonb_build_object('archive', jsonb_build_object('manifest', gone.archive))::text);
            END IF;
        END LOOP;
    END IF;
    FOR place IN
        SELECT t.* FROM audit.leaf_tables AS t
        WHERE t.partition = 'restored_events'
            AND NOT EXISTS (SELECT FROM audit.restored_events AS r WHERE r.retention_class = t.retention_class)
    LOOP
        PERFORM audit.retire_leaf_table(place, '{"partition": "restored_events"}');
    END LOOP;
    RETURN removed;
END
$$;

-- As in 0007, but for what they wait for: a row, which nobody but the owner can lock.
INSERT INTO audit.locks VALUES ('summaries', 0);

CREATE OR REPLACE FUNCTION audit.remove_summaries(class_name text, of_day date) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM FROM audit.locks WHERE kind = 'summaries' FOR UPDATE;
    PERFORM audit.drop_summaries(ARRAY(SELECT id FROM audit.summaries
                                       WHERE retention_class = class_name AND of_day >= day AND of_day < day + days));
END
$$;

CREATE OR REPLACE FUNCTION audit.summarise_next() RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET timezone = 'UTC'
AS $$
DECLARE
    of_day date;
    class_name text;
    length int;
    parts int[];
BEGIN
    PERFORM FROM audit.locks WHERE kind = 'summaries' FOR UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    SELECT s.day, s.retention_class INTO of_day, class_name FROM audit.summaries AS s
    WHERE s.days = 1
        AND NOT EXISTS (SELECT FROM audit.event_days AS e WHERE e.day = s.day AND e.retention_class = s.retention_class)
    LIMIT 1;
    IF FOUND THEN
        PERFORM audit.remove_summaries(class_name, of_day);
        RETURN format('removed %s of class %s', of_day, class_name);
    END IF;
    SELECT e.day, e.retention_class INTO of_day, class_name
    FROM audit.event_days AS e
    LEFT JOIN audit.summaries AS s ON s.day = e.day AND s.retention_class = e.retention_class AND s.days = 1
    WHERE (e.day + 1)::timestamptz < now() - interval '15 minutes'
        AND (s.id IS NULL OR s.unlisted IS NULL OR s.made_at < now() - interval '10 minutes'
             AND NOT EXISTS (SELECT FROM audit.valid_summaries AS v WHERE v.id = s.id))
        AND NOT EXISTS (SELECT FROM audit.unsummarised_days AS u WHERE u.day = e.day)
    ORDER BY s.id IS NOT NULL AND s.unlisted IS NULL, e.day DESC
    LIMIT 1;
    IF FOUND THEN
        RETURN format('summarised %s of class %s: %s events', of_day, class_name, audit.summarise(class_name, of_day));
    END IF;
    SELECT w.first_day, w.retention_class, w.days, w.parts INTO of_day, class_name, length, parts
    FROM audit.whole_weeks AS w
    LEFT JOIN audit.summaries AS s ON s.day = w.first_day AND s.retention_class = w.retention_class AND s.days = w.days
    WHERE s.id IS NULL OR s.made_of <> w.parts AND s.made_at < now() - s.days * interval '10 minutes'
    ORDER BY w.first_day DESC, w.days
    LIMIT 1;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    PERFORM audit.summarise_weeks(class_name, of_day, length, parts);
    RETURN format('summarised %s days from %s of class %s', length, of_day, class_name);
END
$$;

REVOKE ALL ON FUNCTION audit.begin_retiring(oid, text, text, timestamptz, timestamptz, bigint), audit.end_retiring(oid),
    audit.seal_rewritten(text, bigint, text, text, text, text), audit.seal_restored(text, bytea, jsonb),
    audit.unload_restored(timestamptz, timestamptz)
FROM PUBLIC;

-- What is on its way out by now, and what was restored by now: sealed as it is.
DO $$
DECLARE
    known record;
    pieces int;
    leaves bytea;
BEGIN
    PERFORM audit.begin_retiring(r.relation, r.partition, r.retention_class, r.range_start, r.range_end, r.archived_events)
    FROM audit.retiring AS r;
    SET LOCAL client_encoding = 'UTF8';
    SET LOCAL max_parallel_workers_per_gather = 0;
    FOR known IN
        SELECT retention_class, archive, count(*) AS events FROM audit.restored_events GROUP BY 1, 2 ORDER BY 1, 2
    LOOP
        pieces := known.events / 500000 + 1;
        FOR piece IN 0 .. pieces - 1 LOOP
            EXECUTE format('SELECT string_agg(%s, '''') FROM audit.restored_events '
                           'WHERE retention_class = $1 AND archive = $2 AND abs(uuid_hash(id) %% $3) = $4',
                           audit.leaf_expression())
            INTO leaves USING known.retention_class, known.archive, pieces, piece;
            IF leaves IS NOT NULL THEN
                PERFORM audit.seal_restored(known.retention_class, leaves, jsonb_build_object('manifest', known.archive));
            END IF;
        END LOOP;
    END LOOP;
END
$$;
