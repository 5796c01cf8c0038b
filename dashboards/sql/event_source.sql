-- Where the record of one event came from, as JSON; one row always, and before it the service: where the first line is
-- longer than the panel, newer Grafana begins at its end. Parameter: event_id.
-- Columns: time, source (the first time and the first text column are what a logs panel shows).
WITH event AS ({{event}})
SELECT occurred_at + interval '1 ms' AS time, coalesce(service, '(none)') AS source
FROM event
UNION ALL
SELECT coalesce(max(occurred_at), now()),
       coalesce(max(jsonb_pretty(jsonb_strip_nulls(jsonb_build_object(
           'resource', source.resource,
           'resource_schema_url', nullif(source.resource_schema_url, ''),
           'scope', source.scope,
           'scope_schema_url', nullif(source.scope_schema_url, ''))))), 'No such event')
FROM event JOIN audit.event_sources AS source USING (source_id)
