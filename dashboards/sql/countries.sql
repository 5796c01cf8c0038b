-- Events by country. Parameters: the filters.
-- Columns: Country (ISO code), Events, Failures, Actors, Addresses.
SELECT coalesce(country, '(none)') AS "Country",
       count(*) AS "Events",
       count(*) FILTER (WHERE outcome = 'failure') AS "Failures",
       count(DISTINCT nullif({{actor_key}}, '')) AS "Actors",
       count(DISTINCT client_ip) AS "Addresses"
FROM audit.events
WHERE {{filters}}
GROUP BY 1
ORDER BY 2 DESC, 1
LIMIT 250
