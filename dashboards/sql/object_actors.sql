-- Who touched one object in the time range. Parameter: which.
-- Columns: actor_key (for links), Actor, Events, Changes (events that changed something), Failures, Last event.
SELECT {{actor_key}} AS actor_key, coalesce(max({{actor}}), '(none)') AS "Actor", count(*) AS "Events",
       count(*) FILTER (WHERE changes IS NOT NULL) AS "Changes", count(*) FILTER (WHERE outcome = 'failure') AS "Failures",
       max(occurred_at) AS "Last event"
FROM {{touched}} AS touched
GROUP BY 1
ORDER BY 3 DESC, 1
LIMIT 100
