-- Memory (resident set) of each collector, in bytes. Parameter: instance. Columns: time (epoch), metric (instance), value.
SELECT $__timeGroup(sampled_at, $__interval) AS time, instance AS metric, max(memory_bytes)::float8 AS value
FROM {{samples}}
GROUP BY 1, 2
ORDER BY 1, 2
