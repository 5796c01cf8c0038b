-- What verification asks, always as auditgraf_owner, and nothing of it by functions of the schema: somebody may have put
-- others in their place. {events}, {leaves}: the tables of one partition; {digest}: an event's digest;
-- {standing}: which of the leaves that were added.

-- name: settings
-- The binary form of text is in the client's encoding, in parallel workers in the server's.
SELECT set_config('client_encoding', 'UTF8', false),
       set_config('max_parallel_workers_per_gather', '0', false);

-- name: checkpoints
-- Where chains begin whose first months are gone.
SELECT chain, sequence, digest FROM audit.digest_checkpoints ORDER BY chain;

-- name: links
-- What chains have after a link, in order.
SELECT link.*
FROM unnest(%(chains)s::smallint[], %(sequences)s::bigint[]) AS known (chain, sequence)
CROSS JOIN LATERAL (
    SELECT chain, sequence, period, made_at, kind, retention_class, events, covers, detail, form, previous, digest
    FROM audit.digests AS d WHERE d.chain = known.chain AND d.sequence > known.sequence ORDER BY d.sequence
) AS link;

-- name: leaf_tables
-- Number, the partition, the table of its leaves, and whether these are there; whether the partition is there, is a
-- part of its class, and is on its way out.
SELECT t.number, t.partition, t.leaves, leaves.oid IS NOT NULL, events.oid IS NOT NULL,
       t.day IS NULL OR EXISTS (SELECT FROM pg_inherits WHERE inhrelid = events.oid AND NOT inhdetachpending),
       EXISTS (SELECT FROM audit.retiring AS r WHERE r.relation = events.oid)
FROM audit.leaf_tables AS t
LEFT JOIN pg_class AS leaves ON leaves.relname = t.leaves AND leaves.relnamespace = 'audit'::regnamespace
LEFT JOIN pg_class AS events ON events.relname = t.partition AND events.relnamespace = 'audit'::regnamespace
WHERE t.number = ANY (%s::int[]);

-- name: attached_partitions
-- All partitions of all classes: class, name, day (NULL where the name is not one of ours), numbers of their leaf tables.
SELECT substring(parent.relname FROM '^events_(.*)$'), child.relname,
       CASE WHEN child.relname ~ '_p\d{8}(_\d+)?$'
            THEN to_date(substring(child.relname FROM '_p(\d{8})(?:_\d+)?$'), 'YYYYMMDD') END,
       ARRAY(SELECT number FROM audit.leaf_tables AS t WHERE t.partition = child.relname)
FROM pg_class AS parent
JOIN pg_inherits ON inhparent = parent.oid
JOIN pg_class AS child ON child.oid = inhrelid
WHERE parent.relnamespace = 'audit'::regnamespace AND parent.relkind = 'p' AND parent.relname ~ '^events_'
ORDER BY child.relname;

-- name: keep
LOCK TABLE {table} IN ACCESS SHARE MODE;

-- name: held_events
-- Those of a class that are nowhere else.
SELECT * FROM audit.held_events WHERE partition IS NULL AND retention_class = {retention_class}

-- name: restored_events
SELECT * FROM audit.restored_events WHERE retention_class = {retention_class}

-- name: heads
-- The last link of each chain, or where it begins if all of them have expired.
SELECT number::smallint, coalesce(link.sequence, known.sequence), coalesce(link.digest, known.digest)
FROM generate_series(0, 33) AS number
LEFT JOIN audit.digest_checkpoints AS known ON known.chain = number
LEFT JOIN LATERAL (
    SELECT sequence, digest FROM audit.digests AS d WHERE d.chain = number ORDER BY d.sequence DESC LIMIT 1
) AS link ON true
WHERE coalesce(link.sequence, known.sequence) IS NOT NULL ORDER BY 1;

-- name: foreign_owners
-- Of these tables those that belong to somebody else.
SELECT relname, pg_get_userbyid(relowner) FROM pg_class
WHERE relnamespace = 'audit'::regnamespace AND relname = ANY (%s) AND relowner <> 'auditgraf_owner'::regrole;

-- name: count_events
SELECT count(*) FROM {events} AS event;

-- name: held_without_leaves
-- Held events that audit.events shows and no link watches: of a class without leaf tables among these numbers, or copies
-- from a partition that neither is one nor, as a link says, on its way out.
SELECT retention_class, count(*) FROM audit.held_events AS h
WHERE CASE WHEN h.partition IS NULL
           THEN NOT EXISTS (SELECT FROM audit.leaf_tables AS t
                            WHERE t.number = ANY (%(watched)s::int[]) AND t.partition = 'held_events'
                                AND t.retention_class = h.retention_class)
           ELSE NOT EXISTS (SELECT FROM pg_inherits WHERE inhrelid = h.partition)
                AND NOT EXISTS (SELECT FROM audit.retiring AS r
                                JOIN pg_class AS c ON c.oid = r.relation
                                JOIN audit.leaf_tables AS t ON t.partition = c.relname
                                WHERE r.relation = h.partition AND t.number = ANY (%(retiring)s::int[])) END
GROUP BY 1 ORDER BY 1;

-- name: restored_without_leaves
-- Restored events of a class without leaf tables among these numbers.
SELECT retention_class, count(*) FROM audit.restored_events AS r
WHERE NOT EXISTS (SELECT FROM audit.leaf_tables AS t
                  WHERE t.number = ANY (%(watched)s::int[]) AND t.partition = 'restored_events'
                      AND t.retention_class = r.retention_class)
GROUP BY 1 ORDER BY 1;

-- name: classes
SELECT class FROM audit.retention_classes;

-- name: orders
-- Numbers of the orders to forget a person.
SELECT id FROM audit.forget_orders;

-- name: unsealed_classes
-- Classes without a trigger that seals what is stored, or with one that does not fire.
SELECT c.class FROM audit.retention_classes AS c
WHERE NOT EXISTS (
    SELECT FROM pg_trigger WHERE tgrelid = to_regclass(format('audit.%I', 'events_' || c.class))
        AND tgname = 'seal_stored' AND tgenabled IN ('O', 'A')
)
ORDER BY 1;

-- name: leaf_rows
-- A partition's leaves by link: how many there are, their SHA-256, and what the link says of them.
SELECT l.chain, l.sequence, octet_length(l.adds), octet_length(l.removes), encode(sha256(l.adds || l.removes), 'hex'),
       link.covers
FROM {leaves} AS l
LEFT JOIN LATERAL (
    SELECT d.covers FROM audit.digests AS d
    WHERE d.chain = l.chain AND d.sequence = l.sequence AND d.period = l.period LIMIT 1
) AS link ON true;

-- name: links_without_leaves
-- Links that cover a leaf table, and leave no row in it.
SELECT d.chain, d.sequence, d.made_at, d.covers FROM audit.digests AS d
WHERE d.covers ~ %(line)s AND NOT EXISTS (SELECT FROM {leaves} AS l WHERE l.chain = d.chain AND l.sequence = d.sequence)
ORDER BY 1, 2;

-- name: differences
-- Leaves without an event that has that digest, events without a leaf that does: by id.
WITH adds AS (
    SELECT encode(substring(packed FROM nth * 48 + 1 FOR 16), 'hex')::uuid AS id,
           substring(packed FROM nth * 48 + 17 FOR 32) AS digest, chain, sequence, period
    -- `|| ''` takes a pack out of its store once, not once a leaf; OFFSET 0 keeps it out of what is sorted and hashed.
    FROM (SELECT chain, sequence, period, adds || ''::bytea AS packed FROM {leaves} OFFSET 0) AS packs,
         generate_series(0, octet_length(packed) / 48 - 1) AS nth
    OFFSET 0
), expected AS (
    SELECT id, digest, chain, sequence, period FROM adds WHERE {standing}
), stored AS (
    SELECT id, {digest} AS digest, occurred_at FROM {events} AS event
), differing AS (
    SELECT coalesce(expected.id, stored.id) AS id, stored.occurred_at, chain, sequence, period
    FROM expected FULL JOIN stored ON stored.id = expected.id AND stored.digest = expected.digest
    WHERE stored.id IS NULL OR expected.id IS NULL
)
SELECT id, occurred_at, chain, sequence, (
    SELECT made_at FROM audit.digests AS d
    WHERE d.chain = differing.chain AND d.sequence = differing.sequence AND d.period = differing.period LIMIT 1
) AS sealed_at
FROM differing ORDER BY id, occurred_at;

-- name: standing
-- Of the leaves that were added, those that were not taken away since: what was unloaded can be restored again. Whatever
-- takes leaves away is in chain 0.
NOT EXISTS (
    SELECT FROM (
        SELECT encode(substring(packed FROM nth * 48 + 1 FOR 16), 'hex')::uuid AS id,
               substring(packed FROM nth * 48 + 17 FOR 32) AS digest, sequence
        FROM (SELECT sequence, removes || ''::bytea AS packed FROM {leaves} OFFSET 0) AS packs,
             generate_series(0, octet_length(packed) / 48 - 1) AS nth
        OFFSET 0
    ) AS removes
    WHERE removes.id = adds.id AND removes.digest = adds.digest AND (adds.chain > 0 OR adds.sequence <= removes.sequence)
)

-- name: unfounded
-- Leaves that were taken away and had never been added: what an order, or a release, found was not what was stored.
WITH adds AS (
    SELECT encode(substring(packed FROM nth * 48 + 1 FOR 16), 'hex')::uuid AS id,
           substring(packed FROM nth * 48 + 17 FOR 32) AS digest
    FROM (SELECT adds || ''::bytea AS packed FROM {leaves} OFFSET 0) AS packs,
         generate_series(0, octet_length(packed) / 48 - 1) AS nth
    OFFSET 0
), removes AS (
    SELECT encode(substring(packed FROM nth * 48 + 1 FOR 16), 'hex')::uuid AS id,
           substring(packed FROM nth * 48 + 17 FOR 32) AS digest, chain, sequence, period
    FROM (SELECT chain, sequence, period, removes || ''::bytea AS packed FROM {leaves} OFFSET 0) AS packs,
         generate_series(0, octet_length(packed) / 48 - 1) AS nth
    OFFSET 0
)
SELECT id, chain, sequence, (
    SELECT made_at FROM audit.digests AS d
    WHERE d.chain = removes.chain AND d.sequence = removes.sequence AND d.period = removes.period LIMIT 1
) AS made_at
FROM removes
WHERE NOT EXISTS (SELECT FROM adds WHERE adds.id = removes.id AND adds.digest = removes.digest)
ORDER BY id;

-- name: seal_late
SELECT audit.seal_late(%s);

-- name: record
INSERT INTO audit.verification_runs (started_at, events, links, findings, detail)
VALUES (%(started_at)s, %(events)s, %(links)s, %(findings)s, %(detail)s);
