-- Events by weekday and hour of the day (UTC). Parameters: the filters. Columns: Day, then a column for each hour.
WITH counted AS (
    SELECT extract(isodow FROM moment AT TIME ZONE 'UTC')::int AS weekday,
           extract(hour FROM moment AT TIME ZONE 'UTC')::int AS hour, sum(events) AS events
    FROM {{counted 0}} AS counted
    GROUP BY 1, 2
)
SELECT day AS "Day",
       coalesce(sum(events) FILTER (WHERE hour = 0), 0)::float8 AS "00",
       coalesce(sum(events) FILTER (WHERE hour = 1), 0)::float8 AS "01",
       coalesce(sum(events) FILTER (WHERE hour = 2), 0)::float8 AS "02",
       coalesce(sum(events) FILTER (WHERE hour = 3), 0)::float8 AS "03",
       coalesce(sum(events) FILTER (WHERE hour = 4), 0)::float8 AS "04",
       coalesce(sum(events) FILTER (WHERE hour = 5), 0)::float8 AS "05",
       coalesce(sum(events) FILTER (WHERE hour = 6), 0)::float8 AS "06",
       coalesce(sum(events) FILTER (WHERE hour = 7), 0)::float8 AS "07",
       coalesce(sum(events) FILTER (WHERE hour = 8), 0)::float8 AS "08",
       coalesce(sum(events) FILTER (WHERE hour = 9), 0)::float8 AS "09",
       coalesce(sum(events) FILTER (WHERE hour = 10), 0)::float8 AS "10",
       coalesce(sum(events) FILTER (WHERE hour = 11), 0)::float8 AS "11",
       coalesce(sum(events) FILTER (WHERE hour = 12), 0)::float8 AS "12",
       coalesce(sum(events) FILTER (WHERE hour = 13), 0)::float8 AS "13",
       coalesce(sum(events) FILTER (WHERE hour = 14), 0)::float8 AS "14",
       coalesce(sum(events) FILTER (WHERE hour = 15), 0)::float8 AS "15",
       coalesce(sum(events) FILTER (WHERE hour = 16), 0)::float8 AS "16",
       coalesce(sum(events) FILTER (WHERE hour = 17), 0)::float8 AS "17",
       coalesce(sum(events) FILTER (WHERE hour = 18), 0)::float8 AS "18",
       coalesce(sum(events) FILTER (WHERE hour = 19), 0)::float8 AS "19",
       coalesce(sum(events) FILTER (WHERE hour = 20), 0)::float8 AS "20",
       coalesce(sum(events) FILTER (WHERE hour = 21), 0)::float8 AS "21",
       coalesce(sum(events) FILTER (WHERE hour = 22), 0)::float8 AS "22",
       coalesce(sum(events) FILTER (WHERE hour = 23), 0)::float8 AS "23"
FROM (VALUES (1, 'Mon'), (2, 'Tue'), (3, 'Wed'), (4, 'Thu'), (5, 'Fri'), (6, 'Sat'), (7, 'Sun')) AS week (weekday, day)
     LEFT JOIN counted USING (weekday)
GROUP BY weekday, day
ORDER BY weekday
