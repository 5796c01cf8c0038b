-- Restored events whose partition came back are no longer shown twice; partitions that somebody else half detached are seen.
-- Runs as auditgraf_owner inside one transaction; see exporter/store/migrate.py.

-- Removes the restored events for which a condition holds, and their leaves; how many. `condition`: SQL, of restored_events.
CREATE FUNCTION audit.unload_where(condition text) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp SET client_encoding = 'UTF8' SET max_parallel_workers_per_gather = 0
AS $$
DECLARE
    at_once CONSTANT int := 500000;
    removed bigint;
    gone record;
    place audit.leaf_tables;
BEGIN
    -- Nobody may restore meanwhile: leaves go with the last event of their class.
    LOCK TABLE audit.restored_events IN SHARE ROW EXCLUSIVE MODE;
    EXECUTE format('SELECT count(*) FROM audit.restored_events AS restored WHERE %s', condition) INTO removed;
    FOR gone IN EXECUTE format($q$
        WITH deleted AS (
            DELETE FROM audit.restored_events AS restored WHERE %s
            RETURNING retention_class, archive, id, %s AS leaf
        )
        SELECT retention_class, archive, string_agg(leaf, '') AS leaves
        FROM deleted GROUP BY retention_class, archive, abs(uuid_hash(id) %% $1) $q$, condition, audit.leaf_expression())
    USING (removed / at_once + 1)::int
    LOOP
        SELECT t.* INTO place FROM audit.leaf_tables AS t
        WHERE t.partition = 'restored_events' AND t.retention_class = gone.retention_class;
        IF FOUND THEN
            PERFORM audit.add_link('unloaded', gone.retention_class, ARRAY[place.number], ARRAY[''::bytea], ARRAY[gone.leaves],
                                   jsonb_build_object('archive', jsonb_build_object('manifest', gone.archive))::text);
        END IF;
    END LOOP;
    PERFORM audit.retire_restored_leaves();
    RETURN removed;
END
$$;

-- The leaves of classes of which no event is restored any more.
CREATE FUNCTION audit.retire_restored_leaves() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    place audit.leaf_tables;
BEGIN
    FOR place IN
        SELECT t.* FROM audit.leaf_tables AS t
        WHERE t.partition = 'restored_events'
            AND NOT EXISTS (SELECT FROM audit.restored_events AS r WHERE r.retention_class = t.retention_class)
    LOOP
        PERFORM audit.retire_leaf_table(place, '{"partition": "restored_events"}');
    END LOOP;
END
$$;

-- As in 0010. Removes restored events of a range of time, or all where `since` is NULL; how many.
CREATE OR REPLACE FUNCTION audit.unload_restored(since timestamptz, until timestamptz) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    removed bigint;
BEGIN
    IF since IS NOT NULL THEN
        RETURN audit.unload_where(format('occurred_at >= %L AND occurred_at < %L', since, until));
    END IF;
    LOCK TABLE audit.restored_events IN SHARE ROW EXCLUSIVE MODE;
    SELECT count(*) INTO removed FROM audit.restored_events;
    -- At once, whatever is in it; DELETE would leave the space behind.
    TRUNCATE audit.restored_events;
    PERFORM audit.retire_restored_leaves();
    RETURN removed;
END
$$;

-- Removes the restored events that are in a partition too, because it comes back, or did; how many.
CREATE FUNCTION audit.unload_returned(class_name text, relation regclass) RETURNS bigint
LANGUAGE sql SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT audit.unload_where(format(
        'retention_class = %L AND EXISTS (SELECT FROM %s AS here '
        'WHERE here.id = restored.id AND here.occurred_at = restored.occurred_at)', class_name, relation));
END;

-- Partitions that somebody else began to detach, and did not end: their events are out of sight, and nothing of their day
-- can be stored. Those that retention began to detach, and those that have expired, are for its next run.
CREATE VIEW audit.half_detached AS
SELECT retention_class, partition, range_start, range_end
FROM audit.partitions AS p
WHERE pending AND (keep IS NULL OR range_end + keep > clock_timestamp())
    AND NOT EXISTS (SELECT FROM audit.retiring AS r WHERE r.relation = p.relation);
GRANT SELECT ON audit.half_detached TO auditgraf_reader;

REVOKE ALL ON FUNCTION audit.unload_where(text), audit.retire_restored_leaves(), audit.unload_returned(text, regclass)
FROM PUBLIC;

-- What is there twice by now.
SELECT audit.unload_returned(restored.class, to_regclass(format('audit.%I', 'events_' || restored.class)))
FROM (SELECT DISTINCT retention_class AS class FROM audit.restored_events) AS restored;
