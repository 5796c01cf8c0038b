-- Collectors that take in records long after the records' own time. Columns: what (the instance), value (seconds).
SELECT left(instance, 200) AS what, max(lag_seconds)::float8 AS value
FROM audit.collector_health
WHERE sampled_at BETWEEN $__timeFrom() AND $__timeTo()
GROUP BY 1
HAVING max(lag_seconds) > {{above}}
ORDER BY 2 DESC
LIMIT {{most}}
