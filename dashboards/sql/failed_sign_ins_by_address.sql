-- From which addresses signing in failed most often. Parameters: the filters.
-- Columns: Address, Place, Failed, Actors, Last try.
SELECT host(client_ip) AS "Address", max({{place}}) AS "Place", sum(events)::bigint AS "Failed",
       count(DISTINCT nullif({{actor_key}}, '')) AS "Actors", max(last_at) AS "Last try"
FROM {{acts 0}} AS acts
WHERE {{choices}} AND {{failed_sign_in}} AND client_ip IS NOT NULL
GROUP BY client_ip
ORDER BY 3 DESC, 1
LIMIT 50
