-- Every field of one event that says something, as rows. Parameter: event_id. Columns: Field, Value.
WITH event AS ({{event}})
SELECT field AS "Field", value AS "Value"
FROM event, LATERAL (VALUES
    (1, 'Time', to_char(to_timestamp(occurred_ns / 1000000000) AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS')
                || '.' || lpad((occurred_ns % 1000000000)::text, 9, '0') || ' UTC'),
    (2, 'Action', action),
    (3, 'Outcome', outcome),
    (4, 'Message', message),
    (5, 'Actor', actor_name),
    (6, 'Actor email', actor_email),
    (7, 'Actor id', actor_id),
    (8, 'Actor type', actor_type),
    (9, 'On behalf of', on_behalf_of),
    (10, 'Target type', target_type),
    (11, 'Target', target_name),
    (12, 'Target id', target_id),
    (13, 'Address', coalesce(host(client_ip), client_address)),
    (14, 'Place', {{place}}),
    (15, 'Coordinates', latitude || ', ' || longitude),
    (16, 'Network', concat_ws(' ', 'AS' || asn, as_org)),
    (17, 'User agent', user_agent),
    (18, 'Session', session_id),
    (19, 'Service', service),
    (20, 'Environment', environment),
    (21, 'Tenant', tenant),
    (22, 'Severity', nullif(concat_ws(' ', nullif(severity_text, ''), '(' || nullif(severity, 0) || ')'), '')),
    (23, 'Trace', trace_id),
    (24, 'Span', span_id),
    (25, 'Flags', array_to_string(flags, ', ')),
    (26, 'Retention class', retention_class),
    (27, 'Received', to_char(received_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') || ' UTC'),
    (28, 'Event id', id::text)
) AS fields(position, field, value)
WHERE nullif(value, '') IS NOT NULL
ORDER BY position
