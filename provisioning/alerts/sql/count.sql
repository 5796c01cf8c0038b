-- Groups with more than so many events within any window, those first that got there last.
-- Columns: labels, value (the most events that any window has).
WITH matching AS MATERIALIZED (
    SELECT occurred_at, {{keys}}, {{shown}}
    FROM audit.events
    WHERE occurred_at BETWEEN $__timeFrom() AND $__timeTo()
        AND {{condition}}
    ORDER BY occurred_at DESC
    LIMIT 100000
), counted AS (
    SELECT *, count(*) OVER ({{partition}} ORDER BY occurred_at RANGE BETWEEN {{window}} PRECEDING AND CURRENT ROW) AS events
    FROM matching
    WHERE {{known}}
)
SELECT {{labels}}max(events)::float8 AS value
FROM counted
{{grouped}}
HAVING max(events) > {{above}}
ORDER BY min(occurred_at) FILTER (WHERE events > {{above}}) DESC
LIMIT {{most}}
