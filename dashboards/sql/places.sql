-- Every place of the time range with its number of events, its most frequent action and its outcomes.
-- Parameters: the filters; colour (type or outcome).
-- Columns: latitude, longitude (degrees, rounded to about a kilometre), size (grows with the square root of the events,
-- so that few very busy places do not make all others equal), slot (colour of the most frequent action, or of the share
-- of failures: pinpoints.SHARES), Place (the first text: a tooltip of several points names them by it), country_code,
-- city_name (for links), Events, Failures, Most frequent, Last event.
WITH exact AS MATERIALIZED (
    SELECT latitude, longitude, action, max(country) AS country, max(city) AS city, sum(events) AS events,
           sum(failures) AS failures, max(last_at) AS last_at
    FROM {{places}} AS places
    WHERE latitude BETWEEN -90 AND 90 AND longitude BETWEEN -180 AND 180
    GROUP BY 1, 2, 3
), acted AS MATERIALIZED (
    SELECT round(latitude::numeric, 2)::float8 AS latitude, round(longitude::numeric, 2)::float8 AS longitude,
           coalesce(action, '(none)') AS action, max(country) AS country, max(city) AS city, sum(events)::bigint AS events,
           sum(failures)::bigint AS failures, max(last_at) AS last_at
    FROM exact
    GROUP BY 1, 2, 3
), place AS (
    SELECT latitude, longitude, max(country) AS country, max(city) AS city, sum(events)::bigint AS events,
           sum(failures)::bigint AS failures, max(last_at) AS last_at,
           (array_agg(action ORDER BY events DESC, action))[1] AS action
    FROM acted
    GROUP BY 1, 2
    ORDER BY events DESC, 1, 2
    LIMIT 2000
)
SELECT latitude, longitude, sqrt(events)::float8 AS size,
       CASE WHEN '${colour:percentencode}' <> 'outcome' THEN {{slot place.action}}
            WHEN failures = 0 THEN -2 WHEN failures * 2 < events THEN -3 ELSE -4 END AS slot,
       coalesce(nullif({{place}}, ''), latitude || ', ' || longitude) AS "Place",
       coalesce(country, '(none)') AS country_code, coalesce(city, '') AS city_name,
       events AS "Events", failures AS "Failures", action AS "Most frequent", last_at AS "Last event"
FROM place
ORDER BY events DESC, latitude, longitude
