-- Events as rows of a table, newest first; dashboards/rows.py says how each column is shown.
-- Argument: the CTE that holds the events.
-- Columns: event_id, actor_key, target_key (for links), Time, slot (the action's colour), Action, Outcome, Level, Actor,
-- Target, Service (with environment and tenant), Place, Address, Message.
SELECT id::text AS event_id, {{actor_key}} AS actor_key, {{target_key}} AS target_key, occurred_at AS "Time",
       {{slot named.type}} AS slot, type AS "Action", outcome AS "Outcome", {{level}} AS "Level",
       concat_ws(' as ', {{actor}}, nullif(on_behalf_of, '')) AS "Actor", {{target}} AS "Target",
       concat_ws(' · ', service, nullif(environment, ''), nullif(tenant, '')) AS "Service", {{place}} AS "Place",
       coalesce(host(client_ip), client_address) AS "Address", left(message, 500) AS "Message"
FROM (SELECT *, coalesce(action, '(none)') AS type FROM @) AS named
ORDER BY "Time" DESC, event_id DESC
