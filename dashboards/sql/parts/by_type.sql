-- Events over time by action: the 20 most frequent ones of the range, and the rest as "other". Of long names only the
-- beginning, so that the legend leaves room for the chart.
-- Arguments: the part that gives moment, action and events, and its second argument. Columns: time (epoch), action and slot (labels of the series), Value.
WITH bucketed AS (
    SELECT $__timeGroup(moment, $__interval, 0) AS bucket, coalesce(action, '(none)') AS action, sum(events) AS events
    FROM {{@ 0 @2}} AS counted
    GROUP BY 1, 2
), ranked AS (
    SELECT action, row_number() OVER (ORDER BY sum(events) DESC, action) AS rank FROM bucketed GROUP BY action
), coloured AS (
    SELECT rank, CASE WHEN rank > 20 THEN 'other' WHEN length(action) > 40 THEN left(action, 39) || '…' ELSE action END AS name,
           (CASE WHEN rank <= 20 THEN {{slot action}} ELSE -1 END)::text AS slot, action
    FROM ranked
)
SELECT bucket AS time, name AS action, slot, sum(events)::float8 AS "Value"
FROM bucketed JOIN coloured USING (action)
GROUP BY 1, 2, 3
ORDER BY 1, 2
