-- Changes of what somebody may do, newest first. Parameters: the filters.
-- Columns: event_id, actor_key, target_key (for links), Time, slot, Action, Outcome, Actor, Target.
SELECT id::text AS event_id, {{actor_key}} AS actor_key, {{target_key}} AS target_key, occurred_at AS "Time",
       {{slot newest.action}} AS slot, action AS "Action", outcome AS "Outcome",
       concat_ws(' as ', {{actor}}, nullif(on_behalf_of, '')) AS "Actor", {{target}} AS "Target"
FROM {{newest privilege_change}} AS newest
ORDER BY occurred_at DESC, id DESC
