-- Where one actor was in the time range. Parameter: who.
-- Columns: latitude, longitude (degrees, rounded to about a kilometre), size (grows with the square root of the events),
-- slot (colour of the most frequent action), Place, Events, Failures, Most frequent, Last event.
WITH place AS (
    SELECT round(latitude::numeric, 2)::float8 AS latitude, round(longitude::numeric, 2)::float8 AS longitude,
           max(country) AS country, max(city) AS city, mode() WITHIN GROUP (ORDER BY coalesce(action, '(none)')) AS action,
           count(*) AS events, count(*) FILTER (WHERE outcome = 'failure') AS failures, max(occurred_at) AS last_event
    FROM {{acted}} AS acted
    WHERE latitude BETWEEN -90 AND 90 AND longitude BETWEEN -180 AND 180
    GROUP BY 1, 2
)
SELECT latitude, longitude, sqrt(events)::float8 AS size, {{slot place.action}} AS slot,
       coalesce(nullif({{place}}, ''), latitude || ', ' || longitude) AS "Place", events AS "Events",
       failures AS "Failures", action AS "Most frequent", last_event AS "Last event"
FROM place
ORDER BY events DESC, latitude, longitude
LIMIT 500
