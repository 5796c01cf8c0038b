-- The newest 200 events about one object in the time range. Parameter: which. Columns: those of parts/rows.sql.
WITH newest AS (
    SELECT * FROM {{touched}} AS touched ORDER BY occurred_at DESC LIMIT 200
)
{{rows newest}}
