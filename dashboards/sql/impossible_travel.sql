-- Actors who were at two places too far apart for the time between: more than 500 km, at more than 1,000 km an hour.
-- Looks at the newest 100,000 events of the time range that have a place and did not fail:
-- who fails to sign in as somebody is often somebody else. Parameters: the filters.
-- Columns: event_id (the second event), actor_key (for links), Time, Actor, From, To, Kilometres (great
-- circle by the haversine formula on a sphere of 6,371 km), Minutes, km/h (taking a minute at least).
WITH located AS (
    SELECT id, occurred_at, {{actor_key}} AS actor_key, {{actor}} AS actor, {{place}} AS place, latitude, longitude
    FROM audit.events
    WHERE {{filters}} AND outcome <> 'failure'
        AND latitude BETWEEN -90 AND 90 AND longitude BETWEEN -180 AND 180
    ORDER BY {{newest_first}}
    LIMIT 100000
), step AS (
    SELECT *, lag(occurred_at) OVER way AS left_at, lag(place) OVER way AS left_place, lag(latitude) OVER way AS left_latitude,
           lag(longitude) OVER way AS left_longitude
    FROM located
    WHERE actor_key <> ''
    WINDOW way AS (PARTITION BY actor_key ORDER BY occurred_at, id)
), moved AS (
    SELECT *, greatest(extract(epoch FROM occurred_at - left_at)::float8, 60) / 3600 AS hours,
           2 * 6371 * asin(sqrt(least(1, power(sin(radians(latitude - left_latitude) / 2), 2)
               + cos(radians(left_latitude)) * cos(radians(latitude)) * power(sin(radians(longitude - left_longitude) / 2), 2)))) AS km
    FROM step
    WHERE (latitude, longitude) <> (left_latitude, left_longitude)
)
SELECT id::text AS event_id, actor_key, occurred_at AS "Time", actor AS "Actor", left_place AS "From", place AS "To",
       km AS "Kilometres", extract(epoch FROM occurred_at - left_at)::float8 / 60 AS "Minutes", km / hours AS "km/h"
FROM moved
WHERE km > 500 AND km / hours > 1000
ORDER BY occurred_at DESC, id DESC
LIMIT 100
