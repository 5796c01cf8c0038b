-- What an administrator looks at first, over time. Parameters: the filters.
-- Columns: time (epoch), Failed sign-ins, Privilege changes, Secrets viewed, Deletions, Configuration changes.
WITH counted AS MATERIALIZED (
    SELECT $__timeGroup(moment, $__interval, 0) AS time, action, outcome, sum(events) AS events
    FROM {{counted 0}} AS counted
    GROUP BY 1, 2, 3
)
SELECT time,
       coalesce(sum(events) FILTER (WHERE {{failed_sign_in}}), 0)::float8 AS "Failed sign-ins",
       coalesce(sum(events) FILTER (WHERE {{privilege_change}}), 0)::float8 AS "Privilege changes",
       coalesce(sum(events) FILTER (WHERE {{secret_view}}), 0)::float8 AS "Secrets viewed",
       coalesce(sum(events) FILTER (WHERE {{deletion}}), 0)::float8 AS "Deletions",
       coalesce(sum(events) FILTER (WHERE {{config_change}}), 0)::float8 AS "Configuration changes"
FROM counted
GROUP BY 1
ORDER BY 1
