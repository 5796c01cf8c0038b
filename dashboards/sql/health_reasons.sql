-- What was not stored as it came in the time range, by what became of it and why. Parameter: instance.
-- Columns: What, Why, Number (of records; of requests where What says so), Last.
SELECT what AS "What", why AS "Why", sum(number)::bigint AS "Number", max(sampled_at) FILTER (WHERE number > 0) AS "Last"
FROM {{not_stored}} AS not_stored
GROUP BY 1, 2
HAVING sum(number) > 0
ORDER BY 3 DESC, 1, 2
LIMIT 50
