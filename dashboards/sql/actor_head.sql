-- Who the actor is, one row: what the newest events call it, and when it was ever seen first and last; of an actor
-- without id (names have no index), within the time range. Parameter: who.
-- Columns: Name, Email, Id, Type, First seen, Last seen, Last place, Last address, Last program.
WITH seen AS (
    (SELECT * FROM audit.events
     WHERE left('${who:percentencode}', 5) = 'id%3A' AND retention_class <> 'log' AND actor_id = {{who}}
     ORDER BY occurred_at LIMIT 1)
    UNION ALL
    (SELECT * FROM audit.events
     WHERE left('${who:percentencode}', 5) = 'id%3A' AND retention_class <> 'log' AND actor_id = {{who}}
     ORDER BY occurred_at DESC LIMIT 20)
    UNION ALL
    (SELECT * FROM {{acted_by_name}} ORDER BY occurred_at LIMIT 1)
    UNION ALL
    (SELECT * FROM {{acted_by_name}} ORDER BY occurred_at DESC LIMIT 20)
)
SELECT coalesce(CASE WHEN count(*) = 0 THEN 'No such actor' END, {{latest actor_name}}, '(no name)') AS "Name",
       {{latest actor_email}} AS "Email", {{latest actor_id}} AS "Id", {{latest actor_type}} AS "Type",
       min(occurred_at) AS "First seen", max(occurred_at) AS "Last seen", {{latest place}} AS "Last place",
       {{latest address}} AS "Last address", {{latest user_agent}} AS "Last program"
FROM (SELECT *, nullif({{place}}, '') AS place, coalesce(host(client_ip), client_address) AS address FROM seen) AS located
