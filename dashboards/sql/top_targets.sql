-- The objects with the most events. Parameters: the filters.
-- Columns: target_key (for links), Object, Events, Actors, Last event.
SELECT {{target_key}} AS target_key,
       max({{target}}) AS "Object",
       count(*) AS "Events",
       count(DISTINCT nullif({{actor_key}}, '')) AS "Actors",
       max(occurred_at) AS "Last event"
FROM audit.events
WHERE {{filters}}
    AND {{target_key}} <> ''
GROUP BY target_type, 1
ORDER BY 3 DESC, 2
LIMIT 20
