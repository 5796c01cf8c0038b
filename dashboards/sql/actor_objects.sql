-- What one actor acted on most in the time range. Parameter: who.
-- Columns: target_key (for links), Object, Events, Changes (events that changed something), Last event.
SELECT {{target_key}} AS target_key, max({{target}}) AS "Object", count(*) AS "Events",
       count(*) FILTER (WHERE changes IS NOT NULL) AS "Changes", max(occurred_at) AS "Last event"
FROM {{acted}} AS acted
WHERE {{target_key}} <> ''
GROUP BY 1
ORDER BY 3 DESC, 1
LIMIT 50
