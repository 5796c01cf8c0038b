-- Key figures of the time range in one row. Parameters: the filters.
-- Columns: Failure share (0 to 1), Actors, Addresses, Countries, Services (numbers of distinct ones).
SELECT coalesce((count(*) FILTER (WHERE outcome = 'failure'))::float8 / nullif(count(*), 0), 0) AS "Failure share",
       count(DISTINCT {{actor_key}}) FILTER (WHERE {{actor_key}} <> '') AS "Actors",
       count(DISTINCT client_ip) AS "Addresses",
       count(DISTINCT country) AS "Countries",
       count(DISTINCT service) AS "Services"
FROM audit.events
WHERE {{filters}}
