-- The whole record of one event as JSON, with the resource and scope it came from. Parameter: event_id.
-- Columns: time, record (the first time and the first text column are what a logs panel shows).
WITH event AS ({{event}})
SELECT event.occurred_at AS time,
       jsonb_pretty(jsonb_strip_nulls(jsonb_build_object(
           'body', event.message,
           'severity', event.severity,
           'attributes', event.attributes,
           'changes', event.changes,
           'resource', source.resource,
           'resource_schema_url', nullif(source.resource_schema_url, ''),
           'scope', source.scope,
           'scope_schema_url', nullif(source.scope_schema_url, ''),
           'trace_id', event.trace_id,
           'span_id', event.span_id,
           'flags', nullif(to_jsonb(event.flags), '[]'::jsonb)))) AS record
FROM event LEFT JOIN audit.event_sources AS source USING (source_id)
