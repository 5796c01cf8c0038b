-- Groups in which one thing happened so many times, and then the other: the event that completed it, unless the group
-- had one within the window before. Whether one is told of depends on what was before it, never on the time that passes.
-- Columns: event_id, at, labels, value (how many times).
WITH matching AS MATERIALIZED (
    SELECT id, occurred_at, ({{first}}) IS TRUE AS is_first, ({{then}}) IS TRUE AS is_then,
           {{keys}}, {{shown}}
    FROM audit.events
    WHERE occurred_at BETWEEN $__timeFrom() AND $__timeTo()
        AND (({{first}}) OR ({{then}}))
    ORDER BY occurred_at DESC
    LIMIT 100000
), counted AS (
    SELECT *, count(*) FILTER (WHERE is_first) OVER (
               {{partition}} ORDER BY occurred_at RANGE BETWEEN {{window}} PRECEDING AND CURRENT ROW EXCLUDE CURRENT ROW
           ) AS times
    FROM matching
    WHERE {{known}}
), completed AS (
    SELECT *, lag(occurred_at) OVER ({{partition}} ORDER BY occurred_at, id) AS before
    FROM counted
    WHERE is_then AND times >= {{times}}
)
SELECT id::text AS event_id, {{at}} AS at,
       {{labels}}times::float8 AS value
FROM completed
WHERE occurred_at >= {{since}} AND (before IS NULL OR before < occurred_at - {{window}})
ORDER BY occurred_at DESC, id
LIMIT {{most}}
