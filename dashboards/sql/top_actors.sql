-- The actors with the most events. Parameters: the filters.
-- Columns: actor_key (for links), Actor, Events, Failures, Last seen.
SELECT {{actor_key}} AS actor_key,
       coalesce(max({{actor}}), '(none)') AS "Actor",
       count(*) AS "Events",
       count(*) FILTER (WHERE outcome = 'failure') AS "Failures",
       max(occurred_at) AS "Last seen"
FROM audit.events
WHERE {{filters}}
GROUP BY 1
ORDER BY 3 DESC, 2
LIMIT 20
