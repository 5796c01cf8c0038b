-- The actors with the most failures of any kind. Parameters: the filters.
-- Columns: actor_key (for links), Actor, Failures, Events, Share (of failures, 0 to 1), Last seen.
SELECT {{actor_key}} AS actor_key, coalesce(max({{actor}}), '(none)') AS "Actor", sum(failures)::bigint AS "Failures",
       sum(events)::bigint AS "Events", (sum(failures) / sum(events))::float8 AS "Share", max(last_at) AS "Last seen"
FROM {{actors}} AS actors
GROUP BY 1
HAVING sum(failures) > 0
ORDER BY 3 DESC, 2
LIMIT 50
