-- Failures of the retention job. Columns: what (class and partition, if it was about one), value.
SELECT left(concat_ws(' ', 'retention', retention_class, partition), 200) AS what, count(*)::float8 AS value
FROM audit.retention_log
WHERE finished_at BETWEEN $__timeFrom() AND $__timeTo() AND action = 'failed'
GROUP BY 1
HAVING count(*) > {{above}}
ORDER BY 2 DESC
LIMIT {{most}}
