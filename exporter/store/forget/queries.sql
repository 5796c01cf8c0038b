-- What an order to forget a person asks and changes, always as auditgraf_owner. The work itself: audit.forget_in.

-- name: key
SELECT key FROM audit.forget_key;

-- name: earlier_orders
-- Orders about the same person, the newest first.
SELECT id, at, finished_at, pseudonym, names, events FROM audit.forget_orders WHERE identity_hash = %s ORDER BY id DESC;

-- name: in_lower_case
-- Names as PostgreSQL writes them in lower case, and after capitals: those know no sigma for the end of a word. As they
-- are, where that leads to other capitals: no pattern for `i` finds the Turkish one with a dot.
SELECT lower(name) FROM unnest(%(names)s::text[]) AS name
UNION SELECT lower(upper(name)) FROM unnest(%(names)s::text[]) AS name
UNION SELECT name FROM unnest(%(names)s::text[]) AS name WHERE upper(lower(name)) <> upper(name);

-- name: own_addresses
-- Email addresses that only this actor uses: they mean the person elsewhere too.
SELECT lower(actor_email) FROM audit.events
WHERE lower(actor_email) IN (
    SELECT lower(actor_email) FROM audit.events WHERE actor_id = %(actor)s AND actor_email LIKE '%%@%%'
)
GROUP BY 1
HAVING bool_and(actor_id IS NULL OR lower(actor_id) IN (lower(%(actor)s), lower(actor_email)));

-- name: seen_names
-- What else this actor is called; whether that means nobody else, a person has to know.
SELECT DISTINCT name FROM audit.events, unnest(ARRAY[actor_name, actor_email]) AS name
WHERE actor_id = %(actor)s AND name IS NOT NULL AND NOT lower(name) = ANY (%(names)s::text[]) ORDER BY name LIMIT 20;

-- name: add_order
INSERT INTO audit.forget_orders (requested_by, order_text, pseudonym, identity_hash, names)
VALUES (%(by)s, %(text)s, %(pseudonym)s, %(hash)s, %(names)s) RETURNING id;

-- name: done_tables
SELECT partition FROM audit.forget_progress WHERE order_id = %s;

-- name: forget_in
SELECT audit.forget_in(format('audit.%%I', %(table)s::text)::regclass, %(order)s, %(names)s::text[], %(pseudonym)s, %(count_only)s);

-- name: done
WITH done AS (
    INSERT INTO audit.forget_progress (order_id, partition, events) VALUES (%(order)s, %(table)s, %(events)s)
)
UPDATE audit.forget_orders SET events = events + %(events)s WHERE id = %(order)s;

-- name: forget_summaries
SELECT audit.forget_summaries(%s, ARRAY[(%s::timestamptz AT TIME ZONE 'UTC')::date]);

-- name: forget_in_records
-- What retention itself noted about the person.
WITH released AS (
    UPDATE audit.holds SET
        created_by = audit.pseudonymised(created_by, %(names)s::text[], audit.name_pattern(%(names)s), %(pseudonym)s),
        reason = audit.pseudonymised(reason, %(names)s, audit.name_pattern(%(names)s), %(pseudonym)s),
        released_by = audit.pseudonymised(released_by, %(names)s, audit.name_pattern(%(names)s), %(pseudonym)s),
        release_reason = audit.pseudonymised(release_reason, %(names)s, audit.name_pattern(%(names)s), %(pseudonym)s),
        filter = audit.pseudonymised(filter, %(names)s, audit.name_pattern(%(names)s), %(pseudonym)s),
        conditions = audit.pseudonymised(conditions, %(names)s, audit.name_pattern(%(names)s), %(pseudonym)s)
    WHERE released_at IS NOT NULL
), ordered AS (
    UPDATE audit.forget_orders SET
        requested_by = audit.pseudonymised(requested_by, %(names)s, audit.name_pattern(%(names)s), %(pseudonym)s),
        order_text = audit.pseudonymised(order_text, %(names)s, audit.name_pattern(%(names)s), %(pseudonym)s)
)
UPDATE audit.journal SET
    actor = audit.pseudonymised(actor, %(names)s, audit.name_pattern(%(names)s), %(pseudonym)s),
    target_id = audit.pseudonymised(target_id, %(names)s, audit.name_pattern(%(names)s), %(pseudonym)s),
    message = audit.pseudonymised(message, %(names)s, audit.name_pattern(%(names)s), %(pseudonym)s),
    attributes = audit.pseudonymised(attributes, %(names)s, audit.name_pattern(%(names)s), %(pseudonym)s);

-- name: holds_naming
-- Holds in force whose words name the person: they have to go on finding what they hold. YAML, JSON and patterns write a
-- name with backslashes, or in numbers: it is looked for without them, and in what the filter was read as.
SELECT id FROM audit.holds
CROSS JOIN LATERAL (
    SELECT concat_ws(' ', filter, reason, created_by, conditions::text,
                     (SELECT string_agg(value #>> '{}', ' ') FROM jsonb_path_query(conditions, '$.**') AS value
                      WHERE jsonb_typeof(value) <> 'object'))
) AS words (said)
WHERE released_at IS NULL
  AND EXISTS (SELECT FROM unnest(%(names)s::text[]) AS name
              WHERE strpos(replace(lower(said), '\', ''), replace(name, '\', '')) > 0)
ORDER BY id;

-- name: quarantined
-- Records that PostgreSQL refused are bytes, which need not be text; those that name the person have to be looked at.
-- `escape` leaves ASCII as it is, and writes a backslash twice, as JSON does; of other letters the usual cases are tried.
SELECT count(*) FROM audit.quarantine
WHERE EXISTS (
    SELECT FROM unnest(%s::text[]) AS name, unnest(ARRAY[name, initcap(name), upper(name)]) AS written
    WHERE length(name) >= 3
      AND strpos(replace(lower(encode(record, 'escape')), '\\', ''),
                 replace(lower(encode(convert_to(written, 'UTF8'), 'escape')), '\\', '')) > 0);

-- name: finish
UPDATE audit.forget_orders SET finished_at = clock_timestamp(), names = NULL WHERE id = %s RETURNING events;

-- name: note_name
INSERT INTO audit.forget_names (order_id, name_hash, length) VALUES (%(order)s, %(hash)s, %(length)s)
ON CONFLICT (order_id, name_hash) DO UPDATE SET length = excluded.length;

-- name: recognised
-- What the persons were called whose orders an archive can't know. A day more than needed: clocks differ.
SELECT o.id, o.pseudonym, n.name_hash, n.length
FROM audit.forget_orders AS o
JOIN audit.forget_names AS n ON n.order_id = o.id
WHERE (o.finished_at IS NULL OR o.finished_at > %(archived_at)s::timestamptz - interval '1 day')
  AND NOT o.id = ANY (%(done)s::bigint[])
ORDER BY o.id;

-- name: note_archive
INSERT INTO audit.forget_archives (order_id, location, manifest, events, rewritten_as)
VALUES (%(order)s, %(location)s, %(manifest)s, %(events)s, %(rewritten_as)s)
ON CONFLICT (order_id, location, manifest) DO UPDATE
SET events = excluded.events, rewritten_as = excluded.rewritten_as, noted_at = clock_timestamp();

-- name: noted_archives
SELECT manifest, events, rewritten_as FROM audit.forget_archives WHERE order_id = %s ORDER BY manifest;
