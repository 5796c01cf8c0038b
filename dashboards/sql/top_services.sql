-- The services with the most events. Parameters: the filters. Columns: Service, Events, Failures, Share (of failures).
SELECT coalesce(service, '(none)') AS "Service",
       sum(events)::bigint AS "Events",
       coalesce(sum(events) FILTER (WHERE outcome = 'failure'), 0)::bigint AS "Failures",
       coalesce(sum(events) FILTER (WHERE outcome = 'failure') / sum(events), 0)::float8 AS "Share"
FROM {{counted 0}} AS counted
GROUP BY 1
ORDER BY 2 DESC, 1
LIMIT 50
