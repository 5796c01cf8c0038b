-- What an administrator looks at first, over time; a point with zeros at its end, so that there is one.
-- Parameters: the filters.
-- Columns: time (epoch), Failed sign-ins, Privilege changes, Secrets viewed, Deletions, Configuration changes.
WITH counted AS MATERIALIZED (
    SELECT $__timeGroup(moment, $__interval, 0) AS time, coalesce(action, '') AS action, outcome, sum(events) AS events
    FROM {{counted_or_none}} AS counted
    GROUP BY 1, 2, 3
), known AS MATERIALIZED (
    SELECT action, outcome, {{failed_sign_in}} AS failed_sign_in, {{privilege_change}} AS privilege_change,
           {{secret_view}} AS secret_view, {{deletion}} AS deletion, {{config_change}} AS config_change
    FROM (SELECT DISTINCT action, outcome FROM counted) AS each_kind
)
SELECT time,
       coalesce(sum(events) FILTER (WHERE failed_sign_in), 0)::float8 AS "Failed sign-ins",
       coalesce(sum(events) FILTER (WHERE privilege_change), 0)::float8 AS "Privilege changes",
       coalesce(sum(events) FILTER (WHERE secret_view), 0)::float8 AS "Secrets viewed",
       coalesce(sum(events) FILTER (WHERE deletion), 0)::float8 AS "Deletions",
       coalesce(sum(events) FILTER (WHERE config_change), 0)::float8 AS "Configuration changes"
FROM counted JOIN known USING (action, outcome)
GROUP BY 1
ORDER BY 1
