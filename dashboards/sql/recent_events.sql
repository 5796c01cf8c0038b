-- The newest events, newest first. Parameters: the filters.
-- Columns: event_id, actor_key, target_key (for links), Time, slot (the action's colour), Action, Outcome, Actor, Target, Service,
-- Place, Address, Message.
SELECT id::text AS event_id,
       {{actor_key}} AS actor_key,
       {{target_key}} AS target_key,
       occurred_at AS "Time",
       {{slot newest.action}} AS slot,
       action AS "Action",
       outcome AS "Outcome",
       concat_ws(' as ', {{actor}}, nullif(on_behalf_of, '')) AS "Actor",
       {{target}} AS "Target",
       service AS "Service",
       {{place}} AS "Place",
       coalesce(host(client_ip), client_address) AS "Address",
       left(message, 500) AS "Message"
FROM (
    SELECT id, occurred_at, coalesce(action, '(none)') AS action, outcome, actor_id, actor_name, actor_email, actor_type,
           on_behalf_of, target_type, target_id, target_name, service, country, city, client_ip, client_address, message
    FROM audit.events
    WHERE {{filters}}
    ORDER BY {{newest_first}}
    LIMIT 200
) AS newest
ORDER BY occurred_at DESC, id DESC
