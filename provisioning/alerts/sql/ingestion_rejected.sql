-- Requests that were refused for good, by reason. Columns: what (the reason), value.
SELECT left(why, 200) AS what, sum(number::bigint)::float8 AS value
FROM audit.collector_health CROSS JOIN LATERAL jsonb_each_text(rejected_by) AS reason (why, number)
WHERE sampled_at BETWEEN $__timeFrom() AND $__timeTo()
GROUP BY 1
HAVING sum(number::bigint) > {{above}}
ORDER BY 2 DESC
LIMIT {{most}}
