-- Records per second over time. Parameter: instance. Columns: time (epoch), Received, Stored.
SELECT $__timeGroup(sampled_at, $__interval) AS time,
       sum(records)::float8 / extract(epoch FROM '$__interval'::interval)::float8 AS "Received",
       sum(stored)::float8 / extract(epoch FROM '$__interval'::interval)::float8 AS "Stored"
FROM {{samples}}
GROUP BY 1
ORDER BY 1
