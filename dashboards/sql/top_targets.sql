-- The objects with the most events. Parameters: the filters.
-- Columns: target_key (for links), Object, Events, Failures, Last event.
SELECT {{target_key}} AS target_key,
       max({{target}}) AS "Object",
       sum(events)::bigint AS "Events",
       sum(failures)::bigint AS "Failures",
       max(last_at) AS "Last event"
FROM {{objects}} AS objects
WHERE {{target_key}} <> ''
GROUP BY target_type, 1
ORDER BY 3 DESC, 2
LIMIT 20
