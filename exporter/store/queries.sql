-- Every statement that the store sends, but for COPY, which depends on the columns of a group.

-- name: add_source
-- A source seen for the first time by this process; nothing comes back where another process stored it already.
INSERT INTO audit.sources (digest, service, environment, tenant, resource, resource_schema_url, scope, scope_schema_url)
VALUES (%(digest)s, %(service)s, %(environment)s, %(tenant)s,
        %(resource)s::jsonb, %(resource_schema_url)s, %(scope)s::jsonb, %(scope_schema_url)s)
ON CONFLICT (digest) DO NOTHING
RETURNING id;

-- name: find_source
SELECT id FROM audit.sources WHERE digest = %s;

-- name: known_classes
SELECT class FROM audit.retention_classes;

-- name: ensure_partitions
-- A class and its UTC days; answers how many partitions had to be made.
SELECT audit.ensure_partitions(%s, %s::date[]);

-- name: claim_arrivals
-- Contents of records filed under their arrival time, sorted, and for each how long a second one counts as a retry,
-- earlier or later: what a collector kept on disk while PostgreSQL was away comes after what arrived later.
-- Answers those that are new.
INSERT INTO audit.arrivals AS known (content, received_at)
SELECT content, %(received_at)s FROM unnest(%(contents)s::uuid[]) AS content ORDER BY content
ON CONFLICT (content) DO UPDATE SET received_at = greatest(known.received_at, excluded.received_at)
WHERE known.received_at < excluded.received_at - %(window)s OR known.received_at > excluded.received_at + %(window)s
RETURNING content;

-- name: forget_arrivals
SELECT audit.forget_arrivals(%s);

-- name: staging_table
-- Where a group goes that holds events stored before.
CREATE TEMPORARY TABLE IF NOT EXISTS staging (LIKE audit.event_template) ON COMMIT DELETE ROWS;

-- name: quarantine
INSERT INTO audit.quarantine (received_at, source_id, reason, record) VALUES (%s, %s, %s, %s);

-- name: merge
-- Stores those of a staged group that are not there yet.
INSERT INTO {table} ({columns}) SELECT {columns} FROM {staging} ORDER BY id ON CONFLICT DO NOTHING;

-- name: just_stored
-- How many of these events this very transaction has stored, by five minutes and kind.
SELECT * FROM audit.just_stored(%(class)s, %(ids)s::uuid[], %(times)s::timestamptz[]);

-- name: kind_ids
SELECT audit.kind_ids(%s::jsonb);

-- name: ensure_rollups
SELECT audit.ensure_rollups(%s::date[]);

-- name: count_events
-- Counts what was stored, and tells whoever follows which moments it is about: `auditgraf tail` listens.
SELECT audit.count_events(%(slots)s::int[], %(kinds)s::int[], %(counts)s::int[]), pg_notify('audit_events', %(span)s);

-- name: summarise_next
SELECT audit.summarise_next();

-- name: migrations_table
CREATE TABLE IF NOT EXISTS audit.migrations (
    version int PRIMARY KEY,
    name text NOT NULL,
    sha256 text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
);

-- name: one_migration
-- Two processes that migrate one database wait for each other; what is recorded meanwhile does not.
LOCK TABLE audit.migrations IN SHARE UPDATE EXCLUSIVE MODE;

-- name: guard_settings
-- For a session that waits in a transaction for as long as its work takes. Not every version has each of these.
SELECT set_config('role', 'auditgraf_owner', false), set_config(name, '0', false) FROM pg_settings
WHERE name IN ('idle_in_transaction_session_timeout', 'transaction_timeout', 'statement_timeout', 'lock_timeout');

-- name: applied_migrations
SELECT version, name, sha256 FROM audit.migrations ORDER BY version;

-- name: record_migration
INSERT INTO audit.migrations (version, name, sha256) VALUES (%s, %s, %s);

-- name: schema_version
-- For readiness: 0 where nothing was migrated yet. The writer may call it, but not read the table.
SELECT audit.schema_version();

-- name: ensure_class
SELECT audit.ensure_class(%s, %s);
