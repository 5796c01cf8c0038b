-- What one event changed, a row for each value, nested objects by path.
-- Parameter: event_id. Columns: Field, Change (added, removed, changed, secret), Before, After.
WITH RECURSIVE event AS ({{event}}), {{changes event}}
SELECT field AS "Field", change AS "Change", before AS "Before", after AS "After"
FROM difference
ORDER BY 1, 2, 3, 4
LIMIT 500
