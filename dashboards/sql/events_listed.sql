-- The newest 500 events that all filters let through. Parameters: all filters. Columns: those of parts/rows.sql.
WITH listed AS (
    SELECT * FROM audit.events WHERE {{more_filters}} ORDER BY occurred_at DESC LIMIT 500
), nothing (note) AS (SELECT 'No event in this time range has what the filters ask for.')
{{rows listed}}
