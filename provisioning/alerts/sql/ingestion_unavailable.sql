-- Records that could not be stored; their senders were asked to send them again. Columns: what (the instance), value.
SELECT left(instance, 200) AS what, sum(unavailable)::float8 AS value
FROM audit.collector_health
WHERE sampled_at BETWEEN $__timeFrom() AND $__timeTo()
GROUP BY 1
HAVING sum(unavailable) > {{above}}
ORDER BY 2 DESC
LIMIT {{most}}
