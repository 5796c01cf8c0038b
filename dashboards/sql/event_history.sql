-- What happened to the object of one event within 90 days before and after it, whatever the time range: the 50 nearest
-- events on either side. Parameter: event_id. Columns: this (marks the event itself), then those of parts/rows.sql.
-- OFFSET 0: the object's events are found first, which a view with a security barrier needs to be told.
WITH event AS ({{event}}), history AS (
    (SELECT other.* FROM event, LATERAL (SELECT * FROM {{same_target}} OFFSET 0) AS other
     WHERE other.occurred_at <= event.occurred_at ORDER BY other.occurred_at DESC LIMIT 50)
    UNION ALL
    (SELECT other.* FROM event, LATERAL (SELECT * FROM {{same_target}} OFFSET 0) AS other
     WHERE other.occurred_at > event.occurred_at ORDER BY other.occurred_at LIMIT 50)
)
SELECT CASE WHEN event_id = {{event_id}}::text THEN '▶' ELSE '' END AS this, shown.*
FROM ({{rows history}}) AS shown
