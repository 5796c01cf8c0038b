-- How many events all filters let through, and whether the list shows all of them. Parameters: all filters.
-- Columns: Found (number), In the list (text).
SELECT found AS "Found", CASE WHEN found > 500 THEN 'newest 500' WHEN found = 0 THEN 'none' ELSE 'all' END AS "In the list"
FROM (SELECT coalesce(sum(events), 0)::bigint AS found FROM {{counted 0 more_}} AS counted) AS total
