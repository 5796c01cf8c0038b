-- Countries where an actor was seen for the first time in 30 days, though they were seen elsewhere before.
-- Failures are left out (of whole days: where all that the actor did there failed): who fails to sign in as somebody is
-- often somebody else. Parameters: country, actor.
-- Columns: actor_key (for links), Time (first seen there), Actor, Country, City, Events, Before in.
WITH seen AS (
    SELECT {{actor_key}} AS actor_key, country, max({{actor}}) AS actor, min(first_at) AS first_at,
           sum(events)::bigint AS events, (array_agg(city ORDER BY last_at DESC))[1] AS city
    FROM audit.actor_totals({{from 720}}, {{to 0}}) AS totals
    WHERE retention_class <> 'log' AND events > failures AND country IS NOT NULL AND {{actor_key}} <> ''
        AND ('${actor:percentencode}' = '' OR actor_id = {{text actor}}
             OR strpos(lower(concat_ws(' ', actor_name, actor_email)), lower({{text actor}})) > 0)
    GROUP BY 1, 2
), visited AS (
    SELECT *, string_agg(country, ', ') OVER (
               PARTITION BY actor_key ORDER BY first_at, country ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS earlier
    FROM seen
)
SELECT actor_key, first_at AS "Time", actor AS "Actor", country AS "Country", city AS "City", events AS "Events",
       left(earlier, 100) AS "Before in"
FROM visited
WHERE first_at >= {{from 0}} AND earlier IS NOT NULL AND ('__all__' IN ($country) OR country IN ($country))
ORDER BY first_at DESC, 3
LIMIT 100
