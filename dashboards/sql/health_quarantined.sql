-- Records that PostgreSQL refused, newest first, whatever the time range. No parameters.
-- Columns: Time, Service, Reason, Number.
SELECT received_at AS "Time", service AS "Service", left(reason, 500) AS "Reason", id AS "Number"
FROM audit.quarantined LEFT JOIN audit.event_sources USING (source_id)
ORDER BY 1 DESC, 4 DESC
LIMIT 100
