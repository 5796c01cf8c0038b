-- Processor time that each collector uses, in processors. Parameter: instance. Columns: time (epoch), metric (instance), value.
SELECT $__timeGroup(sampled_at, $__interval) AS time, instance AS metric, (sum(cpu_seconds) / nullif(sum(seconds), 0))::float8 AS value
FROM {{samples}}
GROUP BY 1, 2
ORDER BY 1, 2
