-- The newest records, audit events and plain logs alike, for a logs panel: the first time and the first text column are
-- what it shows, `level` gives the colour, `id` the row; the rest are details.
-- Parameters: service, severity, show, actor, q.
SELECT occurred_at AS time, line, {{level}} AS level, id::text AS id, action, outcome, actor, target, service, address, place,
       retention_class AS class
FROM (
    SELECT id, occurred_at, severity, outcome, service, retention_class, action, {{actor}} AS actor, {{target}} AS target,
           coalesce(host(client_ip), client_address) AS address, {{place}} AS place,
           left(concat_ws('  ', service, action, message), 2000) AS line
    FROM audit.events
    WHERE {{live_filters}}
    ORDER BY occurred_at DESC
    LIMIT 500
) AS newest
ORDER BY occurred_at DESC, id DESC
