-- Key figures of one object in the time range, one row. Parameter: which.
-- Columns: Events, Changes (events that changed something), Failures, Actors, Addresses, Services (numbers).
SELECT count(*) AS "Events", count(*) FILTER (WHERE changes IS NOT NULL) AS "Changes",
       count(*) FILTER (WHERE outcome = 'failure') AS "Failures", count(DISTINCT nullif({{actor_key}}, '')) AS "Actors",
       count(DISTINCT client_ip) AS "Addresses", count(DISTINCT service) AS "Services"
FROM {{touched}} AS touched
