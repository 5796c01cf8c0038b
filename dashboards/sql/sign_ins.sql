-- Attempts to sign in over time. Parameters: the filters. Columns: time (epoch), Failed, Succeeded.
WITH counted AS MATERIALIZED (
    SELECT $__timeGroup(moment, $__interval, 0) AS time, action, outcome, sum(events) AS events
    FROM {{counted 0}} AS counted
    GROUP BY 1, 2, 3
)
SELECT time,
       coalesce(sum(events) FILTER (WHERE {{failed_sign_in}}), 0)::float8 AS "Failed",
       coalesce(sum(events) FILTER (WHERE NOT {{failed_sign_in}}), 0)::float8 AS "Succeeded"
FROM counted
WHERE {{sign_in}}
GROUP BY 1
ORDER BY 1
