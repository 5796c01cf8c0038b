-- Events by action. Argument: the part that gives them. Columns: slot (the action's colour), Action, Events, Failures, Last event.
SELECT {{slot counted.action}} AS slot, action AS "Action", events AS "Events", failures AS "Failures", last_event AS "Last event"
FROM (
    SELECT coalesce(action, '(none)') AS action, count(*) AS events, count(*) FILTER (WHERE outcome = 'failure') AS failures,
           max(occurred_at) AS last_event
    FROM {{@}} AS given
    GROUP BY 1
    ORDER BY 2 DESC, 1
    LIMIT 200
) AS counted
ORDER BY events DESC, action
