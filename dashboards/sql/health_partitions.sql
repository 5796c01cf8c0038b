-- The partitions, newest first. No parameters. Columns: Partition, Class, From, Events (estimated), Size (bytes).
SELECT partition AS "Partition", retention_class AS "Class", range_start AS "From", estimated_events AS "Events", total_bytes::float8 AS "Size"
FROM audit.storage
ORDER BY range_start DESC, retention_class
LIMIT 1000
