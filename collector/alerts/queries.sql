-- What `auditgraf alerts` asks beside the rules' own statements (provisioning/alerts/sql).

-- name: session
-- As Grafana asks: nothing is written, and no rule may take longer than the reader is given; 30 s where there is no limit.
SELECT set_config('default_transaction_read_only', 'on', false),
       set_config('TimeZone', 'UTC', false),
       CASE WHEN current_setting('statement_timeout') = '0' THEN set_config('statement_timeout', '30s', false) END;

-- name: timeout
SELECT current_setting('statement_timeout');

-- name: events_by_hour
-- How many events there are at most, by hour. Columns: hour, events.
SELECT date_trunc('hour', bucket, 'UTC') AS hour, sum(events)::bigint AS events
FROM audit.volume
WHERE bucket >= date_trunc('hour', %(since)s::timestamptz, 'UTC') AND bucket <= %(until)s::timestamptz
GROUP BY 1;
