-- What `auditgraf doctor` asks. Nothing here changes anything.

-- name: session
SELECT set_config('default_transaction_read_only', 'on', false),
       set_config('statement_timeout', '3s', false),
       set_config('TimeZone', 'UTC', false);

-- name: act_as_owner
-- As `auditgraf migrate` does: the tables are this role's.
SET ROLE auditgraf_owner;

-- name: schema_version
SELECT audit.schema_version();

-- name: clock
SELECT clock_timestamp();

-- name: writer_rights
-- What the session's role lacks to write events, and what it may do beyond that: two arrays of text.
WITH tables AS (
    SELECT 'audit.' || quote_ident(relname) AS name, relname, relkind
    FROM pg_class WHERE relnamespace = 'audit'::regnamespace AND relkind IN ('r', 'p', 'v')
), needed (name, privilege) AS (
    SELECT name, 'INSERT' FROM tables WHERE relkind = 'p' AND relname ~ '^events_'
    UNION ALL VALUES ('audit.sources', 'SELECT'), ('audit.sources', 'INSERT'), ('audit.quarantine', 'INSERT'),
        ('audit.arrivals', 'SELECT'), ('audit.arrivals', 'INSERT'), ('audit.arrivals', 'UPDATE'),
        ('audit.retention_classes', 'SELECT'), ('audit.event_template', 'SELECT')
), forbidden (name, privilege) AS (
    SELECT tables.name, privilege
    FROM tables, unnest(ARRAY['SELECT', 'UPDATE', 'DELETE', 'TRUNCATE']) AS privilege
    WHERE relname ~ '^events(_|$)' OR relname = 'quarantine'
)
SELECT ARRAY(SELECT privilege || ' on ' || name FROM needed WHERE NOT has_table_privilege(to_regclass(name), privilege)),
       ARRAY(SELECT privilege || ' on ' || name FROM forbidden WHERE has_table_privilege(name, privilege) ORDER BY name, 1);

-- name: reader_rights
-- The same for the reader: views only, and those only to be read.
WITH tables AS (
    SELECT 'audit.' || quote_ident(relname) AS name, relkind
    FROM pg_class WHERE relnamespace = 'audit'::regnamespace AND relkind IN ('r', 'p', 'v', 'm')
), needed (name) AS (
    VALUES ('audit.events'), ('audit.event_sources'), ('audit.retention')
), forbidden (name, privilege) AS (
    SELECT name, privilege
    FROM tables, unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE']) AS privilege
    WHERE relkind IN ('r', 'p') OR privilege <> 'SELECT'
)
SELECT ARRAY(SELECT 'SELECT on ' || name FROM needed WHERE NOT has_table_privilege(to_regclass(name), 'SELECT')),
       ARRAY(SELECT privilege || ' on ' || name FROM forbidden WHERE has_table_privilege(name, privilege) ORDER BY name, 1);

-- name: classes
SELECT class, keep FROM audit.retention_classes;

-- name: missing_partitions
-- The partitions that these classes lack from today to so many days ahead (UTC).
SELECT wanted.name
FROM unnest(%(classes)s::text[]) AS class,
     generate_series(0, %(days_ahead)s) AS ahead,
     LATERAL (SELECT format('events_%%s_p%%s', class, to_char((now() AT TIME ZONE 'UTC')::date + ahead, 'YYYYMMDD'))) AS wanted (name)
WHERE NOT EXISTS (
    SELECT FROM pg_inherits
    JOIN pg_class ON pg_class.oid = inhrelid
    WHERE inhparent = to_regclass(format('audit.%%I', 'events_' || class)) AND relname = wanted.name
)
ORDER BY wanted.name;

-- name: quarantine
-- How many records were set aside, and when and why the newest of them was.
SELECT count(*) OVER (), received_at, reason FROM audit.quarantine ORDER BY id DESC LIMIT 1;

-- name: unsealed_classes
-- Classes whose events are stored without their trigger, and so without digests.
SELECT class.class FROM audit.retention_classes AS class
WHERE NOT EXISTS (
    SELECT FROM pg_trigger WHERE tgrelid = to_regclass(format('audit.%I', 'events_' || class.class))
        AND tgname = 'seal_stored' AND tgenabled IN ('O', 'A')
)
ORDER BY 1;

-- name: last_verification
-- When `auditgraf verify` last ended, and how much it found.
SELECT finished_at, findings FROM audit.verifications ORDER BY finished_at DESC LIMIT 1;

-- name: retention_state
SELECT migrated_at, last_started_at, last_done_at, last_outcome, last_detail, overdue, overdue_since, retiring,
       holds, oldest_hold_at, holds_of_everything, superseded_archives, clock_timestamp()
FROM audit.retention_state;

-- name: half_detached
-- Partitions that somebody else began to detach, their class and range.
SELECT partition, 'events_' || retention_class, range_start, range_end FROM audit.half_detached ORDER BY range_start, partition;

-- name: retention_failures
-- What failed in the last run, the first few.
SELECT coalesce(partition, retention_class, 'what was released') || ': ' || detail FROM audit.retention_failures
ORDER BY finished_at LIMIT 3;
