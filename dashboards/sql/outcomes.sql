-- Events over time by outcome. Parameters: the filters. Columns: time (epoch), metric (the outcome), value.
SELECT $__timeGroup(moment, $__interval, 0) AS time, outcome AS metric, sum(events)::float8 AS value
FROM {{counted 0}} AS counted
GROUP BY 1, 2
ORDER BY 1, 2
