-- The newest 200 events of one actor in the time range. Parameter: who. Columns: those of parts/rows.sql.
WITH newest AS (
    SELECT * FROM {{acted}} AS acted ORDER BY occurred_at DESC LIMIT 200
)
{{rows newest}}
