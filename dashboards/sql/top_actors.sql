-- The actors with the most events. Parameters: the filters.
-- Columns: actor_key (for links), Actor, Events, Failures, Last seen.
SELECT {{actor_key}} AS actor_key,
       coalesce(max({{actor}}), '(none)') AS "Actor",
       sum(events)::bigint AS "Events",
       sum(failures)::bigint AS "Failures",
       max(last_at) AS "Last seen"
FROM {{actors}} AS actors
GROUP BY 1
ORDER BY 3 DESC, 2
LIMIT 20
