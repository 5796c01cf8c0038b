-- The whole record of one event as JSON, with the resource and scope it came from. Parameter: event_id.
-- Columns: time, record (the first time and the first text column are what a logs panel shows).
WITH event AS ({{event}}), part AS (
    SELECT event.occurred_at, entry.key, entry.value
    FROM event LEFT JOIN audit.event_sources AS source USING (source_id),
         LATERAL jsonb_each(jsonb_build_object(
             'body', event.message,
             'severity', event.severity,
             'severity_text', event.severity_text,
             'attributes', event.attributes,
             'changes', event.changes,
             'resource', source.resource,
             'resource_schema_url', nullif(source.resource_schema_url, ''),
             'scope', source.scope,
             'scope_schema_url', nullif(source.scope_schema_url, ''),
             'trace_id', event.trace_id,
             'span_id', event.span_id,
             'flags', to_jsonb(event.flags))) AS entry
)
SELECT occurred_at AS time, jsonb_pretty(jsonb_object_agg(key, value)) AS record
FROM part
WHERE value NOT IN ('null'::jsonb, '[]'::jsonb)
GROUP BY 1
