-- The newest 500 events that all filters let through. Parameters: all filters. Columns: those of parts/rows.sql.
WITH listed AS (
    SELECT * FROM audit.events WHERE {{more_filters}} ORDER BY {{newest_first}} LIMIT 500
)
{{rows listed}}
