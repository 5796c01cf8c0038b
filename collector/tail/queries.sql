-- Every statement that `auditgraf tail` sends. {matching} stands for the filter of that name,
-- {match} for an expression's condition (exporter/store/conditions.py).

-- name: session
-- Whoever logs in, with whatever settings: nothing is written, no statement runs away, times come in UTC.
SELECT set_config('default_transaction_read_only', 'on', false),
       set_config('statement_timeout', '30s', false),
       set_config('TimeZone', 'UTC', false);

-- name: listen
LISTEN audit_events;

-- name: now
SELECT clock_timestamp();

-- name: known_classes
SELECT class FROM audit.retention ORDER BY class;

-- name: matching
-- A filter that is not given is NULL and folded away by the planner. Patterns are anchored regular expressions.
(%(classes)s::text[] IS NULL OR retention_class = ANY (%(classes)s::text[]))
AND (%(logs)s OR retention_class <> 'log')
AND severity >= %(min_severity)s
AND (%(outcomes)s::text[] IS NULL OR outcome = ANY (%(outcomes)s::text[]))
AND (%(services)s::text[] IS NULL OR service ~* ANY (%(services)s::text[]))
AND (%(actions)s::text[] IS NULL OR action ~* ANY (%(actions)s::text[]))
AND (%(actors)s::text[] IS NULL
     OR actor_id ~* ANY (%(actors)s::text[])
     OR actor_name ~* ANY (%(actors)s::text[])
     OR actor_email ~* ANY (%(actors)s::text[])
     OR on_behalf_of ~* ANY (%(actors)s::text[]))
AND (%(grep)s::text IS NULL
     OR strpos(lower(concat_ws(E'\n', action, message, actor_id, actor_name, actor_email, on_behalf_of, host(client_ip),
                               client_address, country, city, as_org, target_type, target_id, target_name, service,
                               session_id, trace_id, user_agent, changes, attributes)),
               lower(%(grep)s::text)) > 0)
AND {match}

-- name: oldest_of_newest
-- Where the newest `last` matching events begin, looking back no further than `reach`, and how many there are.
WITH newest AS (
    SELECT occurred_at, id FROM audit.events
    WHERE occurred_at >= coalesce(now() - %(reach)s::interval, '-infinity') AND {matching}
    ORDER BY occurred_at DESC, id DESC
    LIMIT %(last)s
)
SELECT occurred_at, id, count(*) OVER () FROM newest ORDER BY occurred_at, id LIMIT 1;

-- name: page
-- One page of the events of the groups received at given moments (NULL: at any from `since` on), in order. It starts
-- with the event (from_at, from_id) itself, so that the first page is asked for as all the others are.
SELECT id, occurred_at, received_at, occurred_ns, observed_ns, retention_class, source_id,
       severity, severity_text, action, outcome,
       actor_id, actor_name, actor_email, actor_type, on_behalf_of,
       host(client_ip) AS client_ip, client_address, country, city, latitude, longitude, asn, as_org,
       target_type, target_id, target_name, service, environment, tenant,
       session_id, trace_id, span_id, user_agent, message, changes, attributes, flags
FROM audit.events
WHERE occurred_at BETWEEN %(from_at)s::timestamptz AND %(to_at)s::timestamptz
  AND (occurred_at > %(from_at)s::timestamptz OR id >= %(from_id)s::uuid)
  AND received_at >= %(since)s::timestamptz
  AND (%(groups)s::timestamptz[] IS NULL OR received_at = ANY (%(groups)s::timestamptz[]))
  AND {matching}
ORDER BY occurred_at, id
LIMIT %(limit)s;
