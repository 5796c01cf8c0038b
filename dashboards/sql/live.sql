-- The newest records, audit events and plain logs alike, for a logs panel: the first time and the first text column are
-- what it shows, `level` gives the colour, `id` the row; the rest are details. One that says so where there is none.
-- Parameters: service, severity, show, actor, q.
WITH newest AS (
    SELECT id, occurred_at, severity, outcome, service, retention_class, action, {{actor}} AS actor, {{target}} AS target,
           coalesce(host(client_ip), client_address) AS address, {{place}} AS place,
           left(concat_ws('  ', service, action, message), 2000) AS line
    FROM audit.events
    WHERE {{live_filters}}
    ORDER BY occurred_at DESC
    LIMIT 500
)
SELECT occurred_at AS time, line, {{level}} AS level, id::text AS id, action, outcome, actor, target, service, address, place,
       retention_class AS class
FROM newest
UNION ALL
SELECT {{to 0}}, 'No record in this time range. New ones appear here by themselves.', 'unknown', NULL, NULL, NULL, NULL, NULL,
       NULL, NULL, NULL, NULL
WHERE NOT EXISTS (SELECT FROM newest)
ORDER BY time DESC, id DESC
