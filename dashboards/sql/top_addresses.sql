-- The addresses with the most events. Parameters: the filters.
-- Columns: Address, Country, Events, Failures, Last event.
SELECT host(client_ip) AS "Address",
       max(country) AS "Country",
       sum(events)::bigint AS "Events",
       sum(failures)::bigint AS "Failures",
       max(last_at) AS "Last event"
FROM {{addresses}} AS addresses
WHERE client_ip IS NOT NULL
GROUP BY client_ip
ORDER BY 3 DESC, 1
LIMIT 20
