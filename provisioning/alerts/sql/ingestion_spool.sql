-- Collectors whose spool fills. Columns: what (the instance), value (bytes).
SELECT left(instance, 200) AS what, max(spool_bytes)::float8 AS value
FROM audit.collector_health
WHERE sampled_at BETWEEN $__timeFrom() AND $__timeTo()
GROUP BY 1
HAVING max(spool_bytes) > {{above}}
ORDER BY 2 DESC
LIMIT {{most}}
