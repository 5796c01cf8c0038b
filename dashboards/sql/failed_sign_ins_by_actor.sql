-- Who failed to sign in most often. Parameters: the filters.
-- Columns: actor_key (for links), Actor, Failed, Addresses, Last try.
SELECT {{actor_key}} AS actor_key, coalesce(max({{actor}}), '(none)') AS "Actor", sum(events)::bigint AS "Failed",
       count(DISTINCT client_ip) AS "Addresses", max(last_at) AS "Last try"
FROM {{acts 0}} AS acts
WHERE {{choices}} AND {{failed_sign_in}}
GROUP BY 1
ORDER BY 3 DESC, 2
LIMIT 50
