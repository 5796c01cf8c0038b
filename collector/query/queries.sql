-- Every statement of `auditgraf query`, `show`, `export` and `stats`. {matching} stands for the filter of that name,
-- {match} for an expression's condition (exporter/store/conditions.py).

-- name: session
-- Whoever logs in, with whatever settings: nothing is written, times come in UTC, no look-up runs away.
SELECT set_config('default_transaction_read_only', 'on', false),
       set_config('statement_timeout', '60s', false),
       set_config('TimeZone', 'UTC', false);

-- name: long_session
-- For exports: a page may wait as long as its reader does, and nobody else waits for it.
SELECT set_config('default_transaction_read_only', 'on', false),
       set_config('statement_timeout', '0', false),
       set_config('client_encoding', 'UTF8', false),
       set_config('TimeZone', 'UTC', false);

-- name: matching
-- What is not given is NULL and folded away by the planner. `text` is a pattern of ILIKE.
occurred_at >= coalesce(%(since)s::timestamptz, '-infinity')
AND occurred_at < coalesce(%(until)s::timestamptz, 'infinity')
AND (%(logs)s OR retention_class <> 'log')
AND (%(text)s::text IS NULL
     OR concat_ws(E'\n', message, action, actor_id, actor_name, actor_email, on_behalf_of,
                  target_type, target_id, target_name) ILIKE %(text)s::text)
AND {match}

-- name: find
SELECT {columns} FROM audit.events WHERE {matching} ORDER BY {order} LIMIT %(limit)s;

-- name: exists
SELECT FROM audit.events WHERE {matching} LIMIT 1;

-- name: show
-- One event, or the first few whose ids begin alike. The milliseconds in an id bound the partitions that are read.
SELECT {columns}, source.resource, source.resource_schema_url, source.scope, source.scope_schema_url,
       jsonb_pretty(event.attributes) AS attributes_shown,
       jsonb_pretty(source.resource) AS resource_shown,
       jsonb_pretty(source.scope) AS scope_shown
FROM audit.events AS event
LEFT JOIN audit.event_sources AS source ON source.source_id = event.source_id
WHERE event.id BETWEEN %(first)s::uuid AND %(last)s::uuid
  AND event.occurred_at >= audit.event_time(%(first)s::uuid) - interval '1 ms'
  AND event.occurred_at < audit.event_time(%(last)s::uuid) + interval '2 ms'
ORDER BY event.occurred_at, event.id
LIMIT %(limit)s;

-- name: page
-- The next events of an export in order of time, after the one at (from_at, from_id); NULL is from the first one on.
-- Given to COPY (..) TO STDOUT, which takes no parameters: they are written into it as literals.
SELECT {columns} FROM audit.events
WHERE {matching}
  AND (%(from_at)s::timestamptz IS NULL
       OR (occurred_at >= %(from_at)s::timestamptz
           AND (occurred_at > %(from_at)s::timestamptz OR id > %(from_id)s::uuid)))
ORDER BY occurred_at, id
LIMIT %(limit)s

-- name: copy
COPY ({page}) TO STDOUT (FORMAT csv);

-- name: at_once
-- For what the shell offers at TAB: nobody waits longer than that.
SELECT set_config('statement_timeout', '1s', false);

-- name: seen_actions
SELECT DISTINCT action FROM audit.volume WHERE bucket >= now() - interval '7 days' AND action IS NOT NULL LIMIT 1000;

-- name: seen_services
SELECT DISTINCT service FROM audit.volume WHERE bucket >= now() - interval '7 days' AND service IS NOT NULL LIMIT 1000;

-- name: has_volume
-- Whether there are rollups, which count every event that was ever committed.
SELECT to_regclass('audit.volume') IS NOT NULL, to_regclass('audit.storage') IS NOT NULL;

-- name: first_volume
SELECT min(bucket) FROM audit.volume;

-- name: first_event
SELECT min(occurred_at) FROM audit.events WHERE {matching};

-- name: counted_volume
SELECT retention_class, action, outcome, service, events, bucket AS moment
FROM audit.volume
WHERE bucket >= coalesce(%(since)s::timestamptz, '-infinity') AND bucket < coalesce(%(until)s::timestamptz, 'infinity')

-- name: counted_events
SELECT retention_class, action, outcome, service, 1 AS events, occurred_at AS moment
FROM audit.events
WHERE {matching}

-- name: totals
-- One pass: `what` tells which of the columns a sum is by, `slot` is the place among the moments of `starts`.
SELECT grouping(retention_class, action, outcome, service, slot) AS what,
       coalesce(retention_class, action, outcome, service) AS name, slot, sum(events)::bigint AS events
FROM (SELECT counted.*, width_bucket(moment, %(starts)s::timestamptz[]) AS slot FROM ({counted}) AS counted) AS placed
GROUP BY GROUPING SETS ((), (retention_class), (action), (outcome), (service), (slot))
ORDER BY events DESC, name;

-- name: actors
SELECT coalesce(actor_name, actor_email, actor_id) AS name, count(*) AS events
FROM audit.events
WHERE {matching} AND coalesce(actor_name, actor_email, actor_id) IS NOT NULL
GROUP BY 1
ORDER BY 2 DESC, 1
LIMIT %(top)s;

-- name: storage
SELECT retention_class, min(range_start) FILTER (WHERE estimated_events > 0) AS oldest,
       sum(estimated_events)::bigint AS estimated_events, sum(total_bytes)::bigint AS bytes
FROM audit.storage
GROUP BY retention_class
ORDER BY bytes DESC;
