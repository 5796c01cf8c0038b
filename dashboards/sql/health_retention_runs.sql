-- What retention did, newest first, whatever the time range. No parameters.
-- Columns: Time, Class, Partition, Done, Events, Size (bytes), Detail.
SELECT finished_at AS "Time", retention_class AS "Class", partition AS "Partition", action AS "Done", events AS "Events",
       bytes::float8 AS "Size", detail AS "Detail"
FROM audit.retention_log
ORDER BY started_at DESC, partition
LIMIT 200
