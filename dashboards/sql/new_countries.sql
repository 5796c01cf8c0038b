-- Countries where an actor was seen for the first time in 30 days, though they were seen elsewhere before.
-- Failures are left out (of whole days: where all that the actor did there failed): who fails to sign in as somebody is
-- often somebody else. Parameters: country, actor.
-- Columns: actor_key (for links), Time (first seen there), Actor, Country, City, Events, Before in.
WITH seen_in_city AS MATERIALIZED (
    SELECT {{actor_key}} AS actor_key, country, city, max({{actor}}) AS actor, min(first_at) AS first_at,
           max(last_at) AS last_at, sum(events) AS events
    FROM audit.actor_totals({{from 720}}, {{to 0}}) AS totals
    WHERE retention_class <> 'log' AND events > failures AND country IS NOT NULL AND {{actor_key}} <> ''
        AND ('${actor:percentencode}' = '' OR actor_id = {{text actor}}
             OR strpos(lower(concat_ws(' ', actor_name, actor_email)), lower({{text actor}})) > 0)
    GROUP BY 1, 2, 3
), seen AS MATERIALIZED (
    SELECT actor_key, country, max(actor) AS actor, min(first_at) AS first_at, sum(events)::bigint AS events
    FROM seen_in_city
    GROUP BY 1, 2
), newest AS MATERIALIZED (
    SELECT *
    FROM seen
    WHERE first_at >= {{from 0}} AND ('__all__' IN ($country) OR country IN ($country))
        AND EXISTS (SELECT FROM seen AS other
                    WHERE other.actor_key = seen.actor_key AND (other.first_at, other.country) < (seen.first_at, seen.country))
    ORDER BY first_at DESC, actor
    LIMIT 100
), city AS (
    SELECT actor_key, country, (array_agg(seen_in_city.city ORDER BY seen_in_city.last_at DESC))[1] AS city
    FROM newest JOIN seen_in_city USING (actor_key, country)
    GROUP BY 1, 2
), earlier AS (
    SELECT actor_key, newest.country, string_agg(seen.country, ', ' ORDER BY seen.first_at, seen.country) AS countries
    FROM newest JOIN seen USING (actor_key)
    WHERE (seen.first_at, seen.country) < (newest.first_at, newest.country)
    GROUP BY 1, 2
)
SELECT actor_key, first_at AS "Time", actor AS "Actor", country AS "Country", city AS "City", events AS "Events",
       left(countries, 100) AS "Before in"
FROM newest JOIN city USING (actor_key, country) JOIN earlier USING (actor_key, country)
ORDER BY first_at DESC, 3
