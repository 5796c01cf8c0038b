-- What was not stored as it came, over time, by what became of it and why: the 20 most frequent reasons.
-- Parameter: instance. Columns: time (epoch), metric (what: why), value.
WITH counted AS MATERIALIZED (
    SELECT $__timeGroup(sampled_at, $__interval, 0) AS time, what || ': ' || left(why, 40) AS reason, sum(number) AS number
    FROM {{not_stored}} AS not_stored
    GROUP BY 1, 2
), frequent AS (
    SELECT reason FROM counted GROUP BY 1 HAVING sum(number) > 0 OR reason LIKE 'duplicate:%' ORDER BY sum(number) DESC LIMIT 20
)
SELECT time, reason AS metric, number::float8 AS value
FROM counted JOIN frequent USING (reason)
ORDER BY 1, 2
