-- The newest 100 failures of one actor in the time range. Parameter: who. Columns: those of parts/rows.sql.
WITH failed AS (
    SELECT * FROM {{acted}} AS acted WHERE outcome = 'failure' ORDER BY occurred_at DESC LIMIT 100
)
{{rows failed}}
