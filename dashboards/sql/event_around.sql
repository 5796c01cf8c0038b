-- What the same actor did ten minutes before and after one event. Parameter: event_id.
-- Columns: event_id (for links), this (marks the event itself), Time, slot, Action, Outcome, Target, Service, Place,
-- Address, Message.
WITH event AS ({{event}}), around AS (
    SELECT other.*, coalesce(other.action, '(none)') AS type, other.id = event.id AS is_this
    FROM event JOIN audit.events AS other
        ON coalesce(nullif(other.actor_id, ''), nullif(other.actor_name, ''), nullif(other.actor_email, ''))
         = coalesce(nullif(event.actor_id, ''), nullif(event.actor_name, ''), nullif(event.actor_email, ''))
    WHERE other.occurred_at BETWEEN audit.event_time({{event_id}}) - interval '10 minutes'
                                AND audit.event_time({{event_id}}) + interval '10 minutes'
        AND other.retention_class <> 'log'
    ORDER BY other.occurred_at DESC
    LIMIT 200
)
SELECT id::text AS event_id, CASE WHEN is_this THEN '▶' ELSE '' END AS this, occurred_at AS "Time",
       {{slot around.type}} AS slot, type AS "Action", outcome AS "Outcome", {{target}} AS "Target", service AS "Service",
       {{place}} AS "Place", coalesce(host(client_ip), client_address) AS "Address", left(message, 500) AS "Message"
FROM around
ORDER BY occurred_at DESC, id DESC
