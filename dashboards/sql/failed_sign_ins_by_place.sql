-- Where signing in failed. Parameters: the filters. Columns: as those of places.sql, without the most frequent action.
SELECT round(latitude::numeric, 2)::float8 AS latitude, round(longitude::numeric, 2)::float8 AS longitude,
       sqrt(sum(events))::float8 AS size, -4 AS slot,
       coalesce(nullif(concat_ws(', ', nullif(max(city), ''), nullif(max(country), '')), ''),
                max(latitude) || ', ' || max(longitude)) AS "Place",
       coalesce(max(country), '(none)') AS country_code, coalesce(max(city), '') AS city_name,
       sum(events)::bigint AS "Failed", count(DISTINCT nullif({{actor_key}}, '')) AS "Actors",
       count(DISTINCT client_ip) AS "Addresses", max(last_at) AS "Last try"
FROM {{acts 0}} AS acts
WHERE {{choices}} AND {{failed_sign_in}}
    AND latitude BETWEEN -90 AND 90 AND longitude BETWEEN -180 AND 180
GROUP BY 1, 2
ORDER BY 8 DESC, 1, 2
LIMIT 2000
