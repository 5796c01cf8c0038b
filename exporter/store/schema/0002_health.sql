-- How the collectors are doing, and what the store takes: tables and views for the health dashboard and its alerts.
-- Runs as auditgraf_owner inside one transaction; see exporter/store/migrate.py.

-- What each collector counted since its row before: one row per instance each 10 seconds, while PostgreSQL is away one
-- longer row afterwards. Kept for 7 days.
CREATE TABLE audit.collector_samples (
    sampled_at timestamptz NOT NULL,       -- the end of the interval
    instance text NOT NULL,                -- host name and a random part: another one after each start
    started_at timestamptz NOT NULL,
    version text NOT NULL,
    seconds float8 NOT NULL,               -- length of the interval
    requests bigint NOT NULL,              -- answered or given up by their senders
    refused bigint NOT NULL,               -- of those, not answered with success
    refused_by jsonb NOT NULL,             -- {"protocol status": requests}
    rejected bigint NOT NULL,              -- of the refused, those that must not come again as they are
    rejected_by jsonb NOT NULL,            -- {"reason": requests}
    records bigint NOT NULL,               -- of well-formed requests; the sum of the next five
    stored bigint NOT NULL,
    duplicates bigint NOT NULL,
    dropped bigint NOT NULL,
    quarantined bigint NOT NULL,
    unavailable bigint NOT NULL,           -- not stored, their senders asked to send them again
    dropped_by jsonb NOT NULL,             -- {"rule": records}
    quarantined_by jsonb NOT NULL,         -- {"reason": records}
    lag_seconds float8,                    -- longest time from a record's own to its arrival; NULL where none came
    commit_seconds float8,                 -- longest commit of a group; NULL where there was none
    waiting_requests int NOT NULL,         -- most at once
    waiting_bytes bigint NOT NULL,         -- most at once
    spool_bytes bigint,                    -- NULL where there is no spool
    cpu_seconds float8 NOT NULL,           -- used in the interval
    memory_bytes bigint NOT NULL,          -- resident, at the end of the interval
    PRIMARY KEY (sampled_at, instance)
);

-- Forgets samples that nobody looks at any more; returns how many.
CREATE FUNCTION audit.forget_samples(older_than interval) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    WITH gone AS (
        DELETE FROM audit.collector_samples
        WHERE sampled_at < now() - greatest(older_than, interval '1 day') RETURNING 1
    )
    SELECT count(*) FROM gone;
END;

CREATE VIEW audit.collector_health AS
SELECT instance, sampled_at, started_at, version, seconds,
       requests, records, stored, duplicates, dropped, rejected, quarantined, refused, unavailable,
       dropped_by, rejected_by, quarantined_by, refused_by,
       lag_seconds, commit_seconds, waiting_requests, waiting_bytes, spool_bytes, cpu_seconds, memory_bytes
FROM audit.collector_samples;

-- Every partition with its range, about how many events it has and how many bytes it takes, indexes and all.
-- Measured with 5,000 partitions: to ask each file for its size takes seconds and leaves the session with 270 MB of
-- catalogue entries. So only partitions that still grow are asked, or that VACUUM has not seen yet; of the others the
-- catalogue knows what VACUUM counted last.
CREATE FUNCTION audit.partition_sizes()
RETURNS TABLE (retention_class text, partition text, range_start timestamptz, range_end timestamptz,
               estimated_events bigint, total_bytes bigint)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET datestyle = 'ISO'
BEGIN ATOMIC
    WITH bounds AS MATERIALIZED (
        SELECT known.class, child.oid, child.relname, child.reltuples, child.relpages, child.reltoastrelid,
               pg_get_expr(child.relpartbound, 0) AS bound,  -- 0: with the oid it waits for a lock
               pg_stat_get_live_tuples(child.oid) AS live
        FROM audit.retention_classes AS known
        JOIN pg_inherits ON inhparent = to_regclass(format('audit.%I', 'events_' || known.class))
        JOIN pg_class AS child ON child.oid = inhrelid
    ), partitions AS (
        SELECT *, substring(bound FROM 'FROM \(''([^'']+)''\)')::timestamptz AS low,
               substring(bound FROM 'TO \(''([^'']+)''\)')::timestamptz AS high
        FROM bounds
    ), indexes AS (
        SELECT holder.oid, sum(part.relpages::bigint) AS pages
        FROM (SELECT oid, oid AS place FROM bounds UNION ALL SELECT oid, reltoastrelid FROM bounds) AS holder
        JOIN pg_index ON indrelid = holder.place
        JOIN pg_class AS part ON part.oid = indexrelid
        GROUP BY holder.oid
    )
    SELECT class, partitions.relname::text, low, high,
           -- VACUUM's count may be old, the statistics' starts at zero after a crash, and events only become more.
           greatest(partitions.reltuples::bigint, live, 0),
           CASE WHEN high > now() - interval '1 day' OR partitions.reltuples < 0 AND live > 0
                THEN pg_total_relation_size(partitions.oid)
                ELSE (partitions.relpages + coalesce(pages, 0) + coalesce(toast.relpages, 0))
                     * current_setting('block_size')::bigint
           END
    FROM partitions
    LEFT JOIN indexes ON indexes.oid = partitions.oid
    LEFT JOIN pg_class AS toast ON toast.oid = partitions.reltoastrelid;
END;

CREATE VIEW audit.storage AS
SELECT retention_class, partition, range_start, range_end, estimated_events, total_bytes
FROM audit.partition_sizes();

-- Without the record, which may hold anything.
CREATE VIEW audit.quarantined AS
SELECT id, received_at, source_id, reason FROM audit.quarantine;

REVOKE ALL ON FUNCTION audit.forget_samples(interval), audit.partition_sizes() FROM PUBLIC;
GRANT INSERT ON audit.collector_samples TO auditgraf_writer;
GRANT EXECUTE ON FUNCTION audit.forget_samples(interval) TO auditgraf_writer;
GRANT EXECUTE ON FUNCTION audit.partition_sizes() TO auditgraf_reader;
GRANT SELECT ON audit.collector_health, audit.storage, audit.quarantined TO auditgraf_reader;
