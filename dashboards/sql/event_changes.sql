-- What one event changed, a row for each value, nested objects by path. Parameter: event_id.
-- Columns: Field, Change (added, removed, changed, secret), Before, After.
WITH RECURSIVE change AS (
    SELECT entry.key AS field, entry.value AS doc
    FROM ({{event}}) AS event,
         LATERAL jsonb_each(CASE WHEN jsonb_typeof(changes) = 'object' THEN changes ELSE '{}'::jsonb END) AS entry
), side (field, path, before, after) AS (
    SELECT field, field, doc -> 'before', doc -> 'after'
    FROM change
    WHERE jsonb_exists_any(doc, ARRAY['before', 'after'])
    UNION ALL
    SELECT field, path || '.' || key, before -> key, after -> key
    FROM side, LATERAL (
        SELECT jsonb_object_keys(CASE WHEN jsonb_typeof(before) = 'object' THEN before ELSE '{}'::jsonb END) AS key
        UNION
        SELECT jsonb_object_keys(CASE WHEN jsonb_typeof(after) = 'object' THEN after ELSE '{}'::jsonb END)
    ) AS keys
    WHERE 'object' IN (jsonb_typeof(before), jsonb_typeof(after))
), leaf AS (
    SELECT path AS field,
           nullif(CASE WHEN jsonb_typeof(before) = 'object' THEN NULL ELSE before END, 'null'::jsonb) AS before,
           nullif(CASE WHEN jsonb_typeof(after) = 'object' THEN NULL ELSE after END, 'null'::jsonb) AS after
    FROM side
)
SELECT field AS "Field",
       CASE WHEN before IS NULL THEN 'added' WHEN after IS NULL THEN 'removed' ELSE 'changed' END AS "Change",
       before #>> '{}' AS "Before",
       after #>> '{}' AS "After"
FROM leaf
WHERE before IS DISTINCT FROM after
UNION ALL
SELECT field, 'added', NULL, member #>> '{}'
FROM change, LATERAL jsonb_array_elements(CASE WHEN jsonb_typeof(doc -> 'added') = 'array' THEN doc -> 'added' ELSE '[]'::jsonb END) AS member
UNION ALL
SELECT field, 'removed', member #>> '{}', NULL
FROM change, LATERAL jsonb_array_elements(CASE WHEN jsonb_typeof(doc -> 'removed') = 'array' THEN doc -> 'removed' ELSE '[]'::jsonb END) AS member
UNION ALL
SELECT field, 'secret', '••••••', '•••••• (changed)'
FROM change
WHERE doc -> 'changed' = 'true'::jsonb
ORDER BY 1, 2, 3, 4
LIMIT 500
