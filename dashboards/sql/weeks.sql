-- Events over time, beside those of the same time a week before. Parameters: the filters.
-- Columns: time (epoch), This time, A week before.
SELECT time, sum(now)::float8 AS "This time", sum(before)::float8 AS "A week before"
FROM (
    SELECT $__timeGroup(moment, $__interval, 0) AS time, sum(events) AS now, 0 AS before
    FROM {{counted 0}} AS counted
    GROUP BY 1
    UNION ALL
    SELECT $__timeGroup(moment + interval '168 hours', $__interval, 0), 0, sum(events)
    FROM {{counted 168}} AS counted
    GROUP BY 1
) AS both_weeks
GROUP BY 1
ORDER BY 1
