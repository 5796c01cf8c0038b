-- The first events of groups and values that were not there before, while the group was. Looks at the newest 2,000
-- pairs. Columns: event_id, at, labels, value (1).
WITH matching AS MATERIALIZED (
    SELECT id, occurred_at, {{keys}}, {{shown}}
    FROM audit.events
    WHERE occurred_at BETWEEN {{since}} AND $__timeTo()
        AND {{condition}}
    ORDER BY occurred_at DESC
    LIMIT 100000
), first AS (
    SELECT DISTINCT ON ({{pair}}) id AS event_id, occurred_at AS first_at, {{columns}}
    FROM matching
    WHERE {{known}}
    ORDER BY {{pair}}, occurred_at, id
), candidate AS MATERIALIZED (
    SELECT * FROM first ORDER BY first_at DESC, event_id LIMIT 2000
){{history}}
SELECT event_id::text AS event_id, {{at}} AS at,
       {{labels}}1::float8 AS value
FROM candidate
WHERE {{unseen}}
    AND {{group_seen}}
ORDER BY first_at DESC, event_id
LIMIT {{most}}
