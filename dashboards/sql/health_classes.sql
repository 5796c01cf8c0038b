-- What is kept how long, and what it takes now. No parameters.
-- Columns: Class, Kept (text), Partitions, Events (estimated), Size (bytes), From, Next expiry.
SELECT class AS "Class", coalesce((extract(epoch FROM keep) / 86400)::float8 || ' days', 'for ever') AS "Kept", count(partition) AS "Partitions",
       coalesce(sum(estimated_events), 0)::bigint AS "Events", coalesce(sum(total_bytes), 0)::float8 AS "Size",
       min(range_start) AS "From", min(range_end) + keep AS "Next expiry"
FROM audit.retention LEFT JOIN audit.storage ON retention_class = class
GROUP BY class, keep
ORDER BY 5 DESC, 1
