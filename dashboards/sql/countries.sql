-- Events by country. Parameters: the filters.
-- Columns: Country (ISO code), Events, Failures, Actors, Addresses.
WITH actors AS (
    SELECT country, sum(events)::bigint AS events, sum(failures)::bigint AS failures,
           count(*) FILTER (WHERE actor_key <> '') AS actors
    FROM (
        SELECT country, {{actor_key}} AS actor_key, sum(events) AS events, sum(failures) AS failures
        FROM {{actors}} AS actors
        GROUP BY 1, 2
    ) AS each_actor
    GROUP BY 1
), addresses AS (
    SELECT country, count(client_ip) AS addresses
    FROM (SELECT DISTINCT country, client_ip FROM {{addresses}} AS addresses) AS each_address
    GROUP BY 1
)
SELECT coalesce(actors.country, '(none)') AS "Country", events AS "Events", failures AS "Failures", actors AS "Actors",
       coalesce(addresses, 0) AS "Addresses"
FROM actors LEFT JOIN addresses ON addresses.country IS NOT DISTINCT FROM actors.country
ORDER BY 2 DESC, 1
LIMIT 250
