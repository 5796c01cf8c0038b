-- What archiving and restoring ask, always as auditgraf_owner.

-- name: columns
-- The columns of an event and what each is.
SELECT attname, format_type(atttypid, NULL) FROM pg_attribute
WHERE attrelid = 'audit.event_template'::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum;

-- name: copy_out
-- A partition in the order of its key, as one snapshot.
COPY (SELECT {columns} FROM {table} ORDER BY id, occurred_at) TO STDOUT (FORMAT csv);

-- name: sources
-- Where these events came from, as JSON that has no numbers of this database in it.
SELECT id, jsonb_build_object(
    'id', id, 'digest', encode(digest, 'hex'), 'service', service, 'environment', environment, 'tenant', tenant,
    'resource', resource, 'resource_schema_url', resource_schema_url,
    'scope', scope, 'scope_schema_url', scope_schema_url, 'first_seen', first_seen)::text
FROM audit.sources WHERE id = ANY (%s::int[]) ORDER BY id;

-- name: finished_archive
-- The newest archive of a partition in a place.
SELECT manifest, events, bytes FROM audit.archives
WHERE relation = %(relation)s AND location = %(location)s AND finished_at IS NOT NULL ORDER BY id DESC LIMIT 1;

-- name: unfinished_archives
-- What interrupted runs began in a place.
SELECT id, manifest FROM audit.archives WHERE location = %s AND finished_at IS NULL ORDER BY id;

-- name: forget_archive
DELETE FROM audit.archives WHERE id = %s;

-- name: superseded_archives
-- Those of a place that were rewritten, and are still there.
SELECT manifest FROM audit.superseded_archives WHERE location = %s ORDER BY manifest;

-- name: supersede_archive
INSERT INTO audit.superseded_archives (location, manifest) VALUES (%(location)s, %(manifest)s) ON CONFLICT DO NOTHING;

-- name: forget_superseded
WITH gone AS (
    DELETE FROM audit.superseded_archives WHERE location = %(location)s AND manifest = %(manifest)s
)
DELETE FROM audit.archives WHERE location = %(location)s AND manifest = %(manifest)s;

-- name: archived_relation
-- The partition that an archive is of, as this database knows it.
SELECT relation FROM audit.archives WHERE location = %(location)s AND manifest = %(manifest)s;

-- name: next_archive
SELECT nextval(pg_get_serial_sequence('audit.archives', 'id'));

-- name: begin_archive
INSERT INTO audit.archives (id, relation, retention_class, partition, range_start, range_end, location, manifest, format)
OVERRIDING SYSTEM VALUE
VALUES (%(id)s, %(relation)s, %(retention_class)s, %(partition)s, %(start)s, %(end)s, %(location)s, %(manifest)s, %(format)s);

-- name: end_archive
UPDATE audit.archives SET finished_at = clock_timestamp(), events = %(events)s, bytes = %(bytes)s, sha256 = %(sha256)s
WHERE id = %(id)s;

-- name: incoming_tables
-- Lines of an archive on their way in, and its sources' numbers there and here.
CREATE TEMPORARY TABLE IF NOT EXISTS incoming (doc jsonb NOT NULL) ON COMMIT DELETE ROWS;
CREATE TEMPORARY TABLE IF NOT EXISTS incoming_sources (theirs int PRIMARY KEY, ours int NOT NULL) ON COMMIT DELETE ROWS;
-- Without the template's NOT NULL: an archive of an earlier schema has fewer columns.
CREATE TEMPORARY TABLE IF NOT EXISTS incoming_events ON COMMIT DELETE ROWS AS TABLE audit.event_template WITH NO DATA;

-- name: copy_in
COPY pg_temp.incoming (doc) FROM STDIN (FORMAT csv);

-- name: read_incoming
-- The lines as events.
INSERT INTO pg_temp.incoming_events
SELECT event.* FROM pg_temp.incoming, jsonb_populate_record(NULL::audit.event_template, doc) AS event;

-- name: forget_incoming
-- How many of them name a person, who has a pseudonym afterwards unless they are only counted.
SELECT audit.forget_in('pg_temp.incoming_events'::regclass, %(order)s, %(names)s::text[], %(pseudonym)s, %(count_only)s);

-- name: clear_incoming
TRUNCATE pg_temp.incoming, pg_temp.incoming_events;

-- name: restore_source
-- A source as the archive has it; one that is here already keeps its number.
WITH doc AS (SELECT %s::jsonb AS it), added AS (
    INSERT INTO audit.sources (digest, service, environment, tenant, resource, resource_schema_url, scope, scope_schema_url,
                               first_seen)
    SELECT decode(it ->> 'digest', 'hex'), it ->> 'service', it ->> 'environment', it ->> 'tenant', it -> 'resource',
           it ->> 'resource_schema_url', it -> 'scope', it ->> 'scope_schema_url', (it ->> 'first_seen')::timestamptz
    FROM doc
    ON CONFLICT (digest) DO NOTHING
    RETURNING id
)
INSERT INTO pg_temp.incoming_sources (theirs, ours)
SELECT (it ->> 'id')::int, coalesce((SELECT id FROM added),
                                    (SELECT id FROM audit.sources WHERE digest = decode(it ->> 'digest', 'hex')))
FROM doc;

-- name: restore_lines
-- What came in, within the time asked for, unless it is here: held, restored before, or in its partition still. How many
-- events that is, and their leaves.
WITH restored AS (
    INSERT INTO audit.restored_events ({columns}, retention_class, archive)
    SELECT {values}, %(retention_class)s, %(archive)s
    FROM pg_temp.incoming_events AS event
    LEFT JOIN pg_temp.incoming_sources AS source ON source.theirs = event.source_id
    WHERE event.occurred_at >= %(since)s AND event.occurred_at < %(until)s
      AND NOT EXISTS (
        SELECT FROM audit.events AS here
        WHERE here.id = event.id AND here.occurred_at = event.occurred_at AND here.retention_class = %(retention_class)s
      )
    ON CONFLICT DO NOTHING
    RETURNING {leaf} AS leaf
)
SELECT count(*), string_agg(leaf, '') FROM restored;

-- name: seal_restored
-- Events without a link that names the archive which they came from are findings of `auditgraf verify`.
SELECT audit.seal_restored(%(retention_class)s, %(leaves)s, jsonb_build_object(
    'location', %(location)s::text, 'manifest', %(archive)s::text, 'sha256', %(sha256)s::text));

-- name: dropped_for
-- SHA-256 of the archives of a name and place for which partitions were dropped, or which took the place of one.
SELECT detail #>> '{archive,sha256}' FROM audit.digest_links
WHERE chain = 0 AND kind IN ('retired', 'pseudonymised')
  AND detail #>> '{archive,location}' = %(location)s AND detail #>> '{archive,manifest}' = %(archive)s;

-- name: seal_rewritten
SELECT audit.seal_rewritten(%(retention_class)s, %(order)s, %(location)s, %(manifest)s, %(rewritten_as)s, %(sha256)s);

-- name: unload
-- All where there is no range of time; how many events.
SELECT audit.unload_restored(%(since)s, %(until)s);
