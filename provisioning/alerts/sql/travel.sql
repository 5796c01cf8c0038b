-- Actors who were at two places too far apart for the time between: the event that tells, unless the actor had one
-- within the window before.
-- Great circles by the haversine formula on a sphere of 6,371 km; less than a minute counts as one.
-- Columns: event_id, at, labels, value (km/h).
WITH matching AS MATERIALIZED (
    SELECT id, occurred_at, latitude, longitude,
           {{keys}}, {{shown}}
    FROM audit.events
    WHERE occurred_at BETWEEN $__timeFrom() AND $__timeTo()
        AND latitude BETWEEN -90 AND 90 AND longitude BETWEEN -180 AND 180
        AND {{condition}}
    ORDER BY occurred_at DESC
    LIMIT 100000
), step AS (
    SELECT *, lag(occurred_at) OVER way AS left_at, lag(shown_place) OVER way AS left_place,
           lag(latitude) OVER way AS left_latitude, lag(longitude) OVER way AS left_longitude
    FROM matching
    WHERE {{known}}
    WINDOW way AS ({{partition}} ORDER BY occurred_at, id)
), moved AS (
    SELECT *, greatest(extract(epoch FROM occurred_at - left_at)::float8, 60) / 3600 AS hours,
           2 * 6371 * asin(sqrt(least(1, power(sin(radians(latitude - left_latitude) / 2), 2)
               + cos(radians(left_latitude)) * cos(radians(latitude))
                 * power(sin(radians(longitude - left_longitude) / 2), 2)))) AS km
    FROM step
    WHERE (latitude, longitude) <> (left_latitude, left_longitude) AND occurred_at - left_at <= {{window}}
), told AS (
    SELECT *, lag(occurred_at) OVER ({{partition}} ORDER BY occurred_at, id) AS before
    FROM moved
    WHERE km > {{above_km}} AND km / hours > {{above_kmh}}
)
SELECT id::text AS event_id, {{at}} AS at, left_place,
       {{labels}}(km / hours)::float8 AS value
FROM told
WHERE occurred_at >= {{since}} AND (before IS NULL OR before < occurred_at - {{window}})
ORDER BY occurred_at DESC, id
LIMIT {{most}}
