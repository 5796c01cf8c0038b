-- What the same actor did ten minutes before and after one event. Parameter: event_id.
-- Columns: this (marks the event itself), then those of parts/rows.sql.
WITH event AS ({{event}}), around AS (
    SELECT other.*
    FROM event JOIN audit.events AS other
        ON coalesce(nullif(other.actor_id, ''), nullif(other.actor_name, ''), nullif(other.actor_email, ''))
         = coalesce(nullif(event.actor_id, ''), nullif(event.actor_name, ''), nullif(event.actor_email, ''))
    WHERE other.occurred_at BETWEEN audit.event_time({{event_id}}) - interval '10 minutes'
                                AND audit.event_time({{event_id}}) + interval '10 minutes'
        AND other.retention_class <> 'log'
    ORDER BY abs(extract(epoch FROM other.occurred_at - event.occurred_at))
    LIMIT 200
)
SELECT CASE WHEN event_id = {{event_id}}::text THEN '▶' ELSE '' END AS this, shown.*
FROM ({{rows around}}) AS shown
