-- Records over time by level, plain logs included: at most the last six hours of the time range. Parameters: service, severity, show, actor, q.
-- Columns: time (epoch), metric (the level), value.
SELECT $__timeGroup(occurred_at, $__interval, 0) AS time, {{level}} AS metric, count(*)::float8 AS value
FROM audit.events
WHERE {{live_filters}} AND occurred_at >= {{to 6}}
GROUP BY 1, 2
ORDER BY 1, 2
