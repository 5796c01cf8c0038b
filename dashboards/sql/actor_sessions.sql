-- The sessions of one actor in the time range, the newest first.
-- Parameter: who. Columns: Session, Began, Lasted (seconds), Events, Failures, Addresses (number), Place.
WITH sessions AS (
    SELECT session_id, min(occurred_at) AS began, max(occurred_at) AS ended, count(*) AS events,
           count(*) FILTER (WHERE outcome = 'failure') AS failures, count(DISTINCT client_ip) AS addresses,
           {{latest place}} AS place
    FROM (SELECT *, {{place}} AS place FROM {{acted}} AS acted) AS located
    WHERE session_id <> ''
    GROUP BY 1
    ORDER BY 2 DESC, 1
    LIMIT 100
)
SELECT session_id AS "Session", began AS "Began", extract(epoch FROM ended - began)::float8 AS "Lasted",
       events AS "Events", failures AS "Failures", addresses AS "Addresses", place AS "Place"
FROM sessions
ORDER BY "Began" DESC, "Session"
