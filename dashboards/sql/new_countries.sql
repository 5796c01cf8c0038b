-- Countries where an actor was seen for the first time in 30 days, though they were seen elsewhere before.
-- Failures are left out (of whole days: where all that the actor did there failed): who fails to sign in as somebody is
-- often somebody else. Parameters: country, actor.
-- Columns: actor_key (for links), Time (first seen there), Actor, Country, City, Events, Before in.
WITH seen AS MATERIALIZED (
    SELECT {{actor_key}} AS actor_key, country, min(first_at) AS first_at
    FROM audit.actor_totals({{from 720}}, {{to 0}}) AS totals
    WHERE {{succeeded}}
    GROUP BY 1, 2
), newest AS MATERIALIZED (
    SELECT *
    FROM seen
    WHERE actor_key <> '' AND first_at >= {{from 0}} AND ('__all__' IN ($country) OR country IN ($country))
        AND EXISTS (SELECT FROM seen AS other
                    WHERE other.actor_key = seen.actor_key AND (other.first_at, other.country) < (seen.first_at, seen.country))
    ORDER BY first_at DESC, actor_key, country
    LIMIT 100
), place AS (
    SELECT newest.actor_key, newest.country, max(actor) AS actor, sum(events)::bigint AS events,
           (array_agg(city ORDER BY last_at DESC))[1] AS city
    FROM (
        SELECT {{actor_key}} AS actor_key, country, city, {{actor}} AS actor, events, last_at
        FROM audit.actor_totals({{from 0}}, {{to 0}}) AS totals
        WHERE {{succeeded}}
    ) AS there JOIN newest USING (actor_key, country)
    GROUP BY 1, 2
), earlier AS (
    SELECT actor_key, newest.country, string_agg(seen.country, ', ' ORDER BY seen.first_at, seen.country) AS countries
    FROM newest JOIN seen USING (actor_key)
    WHERE (seen.first_at, seen.country) < (newest.first_at, newest.country)
    GROUP BY 1, 2
)
SELECT actor_key, first_at AS "Time", actor AS "Actor", country AS "Country", city AS "City", events AS "Events",
       left(countries, 100) AS "Before in"
FROM newest JOIN place USING (actor_key, country) JOIN earlier USING (actor_key, country)
ORDER BY first_at DESC, 3
