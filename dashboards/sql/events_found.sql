-- How many events all filters let through, whether the list shows all of them, and how far back a text was looked for
-- where that is less than the time range. Parameters: all filters. Columns: Found (number), In the list (text).
SELECT found AS "Found",
       CASE WHEN found > 500 THEN 'newest 500' WHEN found = 0 THEN 'none' ELSE 'all' END
           || coalesce(to_char(since AT TIME ZONE 'UTC', '", since "YYYY-MM-DD HH24:MI" UTC"'), '') AS "In the list"
FROM (SELECT coalesce(sum(events), 0)::bigint AS found FROM {{counted 0 more_}} AS counted) AS total,
     (SELECT CASE WHEN '${q:percentencode}' <> '' THEN nullif({{searched}}, '-infinity') END AS since) AS search
