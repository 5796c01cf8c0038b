-- Events and failures over time; a point with zeros at its end, so that there is one. Parameters: the filters.
-- Columns: time (epoch), Events, Failures.
SELECT $__timeGroup(moment, $__interval, 0) AS time,
       sum(events)::float8 AS "Events",
       coalesce(sum(events) FILTER (WHERE outcome = 'failure'), 0)::float8 AS "Failures"
FROM {{counted_or_none}} AS counted
GROUP BY 1
ORDER BY 1
