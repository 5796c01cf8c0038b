-- Every place of the time range with its number of events and its most frequent action. Parameters: the filters.
-- Columns: latitude, longitude (degrees, rounded to about a kilometre), size (grows with the square root of the events,
-- so that few very busy places do not make all others equal), slot (colour of the most frequent action), Place (the first text: a
-- tooltip of several points names them by it), country_code, city_name (for links), Events, Failures, Actors,
-- Most frequent, Last event.
WITH located AS (
    SELECT round(latitude::numeric, 2)::float8 AS latitude, round(longitude::numeric, 2)::float8 AS longitude,
           country, city, coalesce(action, '(none)') AS action, outcome, {{actor_key}} AS actor_key, occurred_at
    FROM audit.events
    WHERE {{filters}}
        AND latitude BETWEEN -90 AND 90 AND longitude BETWEEN -180 AND 180
), place AS (
    SELECT latitude, longitude, max(country) AS country, max(city) AS city, mode() WITHIN GROUP (ORDER BY action) AS action,
           count(*) AS events, count(*) FILTER (WHERE outcome = 'failure') AS failures,
           count(DISTINCT nullif(actor_key, '')) AS actors, max(occurred_at) AS last_event
    FROM located
    GROUP BY 1, 2
)
SELECT latitude, longitude, sqrt(events)::float8 AS size, {{slot place.action}} AS slot,
       coalesce(nullif({{place}}, ''), latitude || ', ' || longitude) AS "Place",
       coalesce(country, '(none)') AS country_code, coalesce(city, '') AS city_name,
       events AS "Events", failures AS "Failures", actors AS "Actors", action AS "Most frequent", last_event AS "Last event"
FROM place
ORDER BY events DESC, latitude, longitude
LIMIT 2000
