-- Events and failures over time. Parameters: the filters. Columns: time (epoch), Events, Failures.
SELECT $__timeGroupAlias(occurred_at, $__interval, 0),
       count(*)::float8 AS "Events",
       (count(*) FILTER (WHERE outcome = 'failure'))::float8 AS "Failures"
FROM audit.events
WHERE {{filters}}
GROUP BY 1
ORDER BY 1
