-- Every value of one object that changed in the time range, newest first, of the newest 200 events that changed
-- something. Parameter: which.
-- Columns: event_id, actor_key (for links), Time, slot (the action's colour), Action, Actor, Field, Change (added, removed, changed,
-- secret), Before, After.
WITH RECURSIVE changing AS (
    SELECT id, occurred_at, coalesce(action, '(none)') AS type, changes, {{actor_key}} AS actor_key, {{actor}} AS actor
    FROM {{touched}} AS touched
    WHERE changes IS NOT NULL
    ORDER BY occurred_at DESC
    LIMIT 200
), {{changes changing}}
SELECT id::text AS event_id, actor_key, occurred_at AS "Time", {{slot changing.type}} AS slot, type AS "Action",
       actor AS "Actor", field AS "Field", change AS "Change", before AS "Before", after AS "After"
FROM difference JOIN changing USING (id)
ORDER BY occurred_at DESC, id DESC, field, change, before, after
LIMIT 1000
