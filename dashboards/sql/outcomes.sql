-- Events over time by outcome. Parameters: the filters. Columns: time (epoch), metric (the outcome), value.
SELECT $__timeGroupAlias(occurred_at, $__interval, 0), outcome AS metric, count(*)::float8 AS value
FROM audit.events
WHERE {{filters}}
GROUP BY 1, 2
ORDER BY 1, 2
