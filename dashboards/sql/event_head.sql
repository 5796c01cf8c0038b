-- Who did what to what from where, one row with links. Parameter: event_id.
-- Columns: actor_key, target_key, trace_id (for links), slot (the action's colour), Action, Outcome, Actor, On behalf of, Target,
-- Address, Place, Session, Trace.
WITH event AS ({{event}}), named AS (SELECT *, coalesce(action, '(none)') AS type FROM event)
SELECT {{actor_key}} AS actor_key, {{target_key}} AS target_key, trace_id, {{slot named.type}} AS slot, type AS "Action",
       outcome AS "Outcome", {{actor}} AS "Actor", on_behalf_of AS "On behalf of", {{target}} AS "Target",
       coalesce(host(client_ip), client_address) AS "Address", {{place}} AS "Place", session_id AS "Session",
       CASE WHEN trace_id <> '' THEN left(trace_id, 8) || '… ↗' END AS "Trace"
FROM named
