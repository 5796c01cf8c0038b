-- The partitions, newest first. No parameters. Columns: Partition, Class, From, Events (estimated), Size (bytes).
SELECT s.partition || CASE WHEN h.partition IS NULL THEN '' ELSE ', half detached' END AS "Partition",
       s.retention_class AS "Class", s.range_start AS "From", s.estimated_events AS "Events", s.total_bytes::float8 AS "Size"
FROM audit.storage AS s
LEFT JOIN audit.half_detached AS h USING (partition)
ORDER BY s.range_start DESC, s.retention_class
LIMIT 1000
