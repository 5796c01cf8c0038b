-- The actions with the most events. Parameters: the filters. Columns: slot (the action's colour), Action, Events, Failures.
WITH counted AS (
    SELECT coalesce(action, '(none)') AS action, sum(events)::bigint AS events,
           coalesce(sum(events) FILTER (WHERE outcome = 'failure'), 0)::bigint AS failures
    FROM {{counted 0}} AS counted
    GROUP BY 1
    ORDER BY 2 DESC, 1
    LIMIT 50
)
SELECT {{slot counted.action}} AS slot, action AS "Action", events AS "Events", failures AS "Failures"
FROM counted
ORDER BY 3 DESC, 2
