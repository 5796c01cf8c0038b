-- Which object it is, one row, and what happened to it in the time range. Parameter: which.
-- Columns: Type, Name, Id, First event, Last event, actor_key (for links), Last by.
SELECT CASE WHEN count(*) = 0 THEN 'No such object in this time range'
            ELSE {{latest target_type}} END AS "Type",
       {{latest target_name}} AS "Name", {{latest target_id}} AS "Id", min(occurred_at) AS "First event",
       max(occurred_at) AS "Last event", {{latest actor_key}} AS actor_key, {{latest actor}} AS "Last by"
FROM (
    SELECT occurred_at, target_type, target_name, target_id, {{actor_key}} AS actor_key, {{actor}} AS actor
    FROM {{touched}} AS touched
) AS named
