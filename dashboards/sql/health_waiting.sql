-- What waits to be stored, in bytes: the most that one collector held. Parameter: instance.
-- Columns: time (epoch), metric (In memory; In the spool, where there is one), value.
SELECT $__timeGroup(sampled_at, $__interval) AS time, place AS metric, max(bytes)::float8 AS value
FROM (SELECT sampled_at, waiting_bytes, spool_bytes FROM {{samples}}) AS sample,
     LATERAL (VALUES ('In memory', waiting_bytes), ('In the spool', spool_bytes)) AS places (place, bytes)
WHERE bytes IS NOT NULL
GROUP BY 1, 2
ORDER BY 1, 2
