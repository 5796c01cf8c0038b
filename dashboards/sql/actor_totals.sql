-- Key figures of one actor in the time range, one row. Parameter: who.
-- Columns: Events, Failures, Sessions, Objects, Places, Addresses, Services (numbers).
SELECT count(*) AS "Events", count(*) FILTER (WHERE outcome = 'failure') AS "Failures",
       count(DISTINCT session_id) AS "Sessions", count(DISTINCT nullif({{target_key}}, '')) AS "Objects",
       count(DISTINCT nullif({{place}}, '')) AS "Places", count(DISTINCT client_ip) AS "Addresses",
       count(DISTINCT service) AS "Services"
FROM {{acted}} AS acted
