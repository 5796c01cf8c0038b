-- Events over time by action: the 20 most frequent ones of the range, and the rest as "other".
-- Parameters: the filters. Columns: time (epoch), action and slot (labels of the series), Value.
WITH counted AS (
    SELECT $__timeGroup(occurred_at, $__interval, 0) AS bucket, coalesce(action, '(none)') AS action, count(*) AS events
    FROM audit.events
    WHERE {{filters}}
    GROUP BY 1, 2
), ranked AS (
    SELECT action, row_number() OVER (ORDER BY sum(events) DESC, action) AS rank FROM counted GROUP BY action
)
SELECT bucket AS time,
       CASE WHEN rank <= 20 THEN action ELSE 'other' END AS action,
       (CASE WHEN rank <= 20 THEN {{slot action}} ELSE -1 END)::text AS slot,
       sum(events)::float8 AS "Value"
FROM counted JOIN ranked USING (action)
GROUP BY 1, 2, 3
ORDER BY 1, 2
