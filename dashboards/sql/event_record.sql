-- The record of one event as JSON: what no column shows better; one row always, and before it the event's id: where the
-- first line is longer than the panel, newer Grafana begins at its end. Parameter: event_id.
-- Columns: time, record (the first time and the first text column are what a logs panel shows).
WITH event AS ({{event}}), part AS (
    SELECT occurred_at, entry.key, entry.value
    FROM event,
         LATERAL jsonb_each(jsonb_build_object(
             'body', message,
             'severity', severity,
             'severity_text', severity_text,
             'attributes', attributes,
             'changes', changes,
             'trace_id', trace_id,
             'span_id', span_id,
             'flags', to_jsonb(flags))) AS entry
)
SELECT occurred_at + interval '1 ms' AS time, id::text AS record
FROM event
UNION ALL
SELECT coalesce(max(occurred_at), now()),
       coalesce(jsonb_pretty(jsonb_object_agg(key, value)), 'No such event')
FROM part
WHERE value NOT IN ('null'::jsonb, '[]'::jsonb)
