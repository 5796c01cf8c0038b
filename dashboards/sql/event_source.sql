-- Where the record of one event came from, as JSON. Parameter: event_id.
-- Columns: time, source (the first time and the first text column are what a logs panel shows).
WITH event AS ({{event}})
SELECT occurred_at AS time,
       jsonb_pretty(jsonb_strip_nulls(jsonb_build_object(
           'resource', source.resource,
           'resource_schema_url', nullif(source.resource_schema_url, ''),
           'scope', source.scope,
           'scope_schema_url', nullif(source.scope_schema_url, '')))) AS source
FROM event JOIN audit.event_sources AS source USING (source_id)
