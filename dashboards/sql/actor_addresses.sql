-- Which addresses one actor came from in the time range. Parameter: who.
-- Columns: Address, Place, Network, Events, Failures, First seen, Last seen.
SELECT coalesce(host(client_ip), client_address) AS "Address", {{latest place}} AS "Place", {{latest as_org}} AS "Network",
       count(*) AS "Events", count(*) FILTER (WHERE outcome = 'failure') AS "Failures",
       min(occurred_at) AS "First seen", max(occurred_at) AS "Last seen"
FROM (SELECT *, {{place}} AS place FROM {{acted}} AS acted) AS located
WHERE coalesce(host(client_ip), client_address) <> ''
GROUP BY 1
ORDER BY 4 DESC, 1
LIMIT 50
