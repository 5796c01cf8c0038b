-- Key figures of the time range in one row. Parameters: the filters.
-- Columns: Failure share (0 to 1), Actors, Addresses, Countries, Services (numbers of distinct ones).
WITH counted AS MATERIALIZED (
    SELECT service, outcome, sum(events) AS events FROM {{counted 0}} AS counted GROUP BY 1, 2
), actors AS MATERIALIZED (
    SELECT DISTINCT {{actor_key}} AS actor_key, country FROM {{actors}} AS actors
)
SELECT (SELECT coalesce(sum(events) FILTER (WHERE outcome = 'failure') / nullif(sum(events), 0), 0)::float8 FROM counted)
           AS "Failure share",
       (SELECT count(*) FROM (SELECT FROM actors WHERE actor_key <> '' GROUP BY actor_key) AS each_actor) AS "Actors",
       (SELECT count(client_ip) FROM (SELECT DISTINCT client_ip FROM {{addresses}} AS addresses) AS each_address) AS "Addresses",
       (SELECT count(DISTINCT country) FROM actors) AS "Countries",
       (SELECT count(DISTINCT service) FROM counted) AS "Services"
