-- Groups with more than so many different values within any window, those first that got there last. A value counts from
-- the first event that has it until one window after the last; the sum of these comings and goings is how many there are.
-- Columns: labels, value (the most that any window has).
WITH matching AS MATERIALIZED (
    SELECT occurred_at, {{of}} AS counted, {{keys}}, {{shown}}
    FROM audit.events
    WHERE occurred_at BETWEEN $__timeFrom() AND $__timeTo()
        AND {{condition}}
    ORDER BY occurred_at DESC
    LIMIT 100000
), spaced AS (
    SELECT *, lag(occurred_at) OVER alike AS before, lead(occurred_at) OVER alike AS after
    FROM matching
    WHERE counted <> '' AND {{known}}
    WINDOW alike AS ({{partition_and}} counted ORDER BY occurred_at)
), edges AS (
    SELECT *, occurred_at AS moment, 1 AS step FROM spaced WHERE before IS NULL OR before < occurred_at - {{window}}
    UNION ALL
    SELECT *, occurred_at + {{window}}, -1 FROM spaced WHERE after IS NULL OR after > occurred_at + {{window}}
), summed AS (
    SELECT *, sum(step) OVER ({{partition}} ORDER BY moment, step DESC ROWS UNBOUNDED PRECEDING) AS different
    FROM edges
)
SELECT {{labels}}max(different)::float8 AS value
FROM summed
{{grouped}}
HAVING max(different) > {{above}}
ORDER BY min(moment) FILTER (WHERE different > {{above}}) DESC
LIMIT {{most}}
