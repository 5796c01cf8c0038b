-- CTEs, to stand in a WITH RECURSIVE: every value that events changed, nested objects by path.
-- Argument: the CTE with their columns id and changes.
-- Gives the CTE difference (id, field, change, before, after), change being added, removed, changed or secret.
changed_field AS (
    SELECT given.id, entry.key AS field, entry.value AS doc
    FROM @ AS given,
         LATERAL jsonb_each(CASE WHEN jsonb_typeof(changes) = 'object' THEN changes ELSE '{}'::jsonb END) AS entry
), side (id, path, before, after) AS (
    SELECT id, field, doc -> 'before', doc -> 'after'
    FROM changed_field
    WHERE jsonb_exists_any(doc, ARRAY['before', 'after'])
    UNION ALL
    SELECT id, path || '.' || key, before -> key, after -> key
    FROM side, LATERAL (
        SELECT jsonb_object_keys(CASE WHEN jsonb_typeof(before) = 'object' THEN before ELSE '{}'::jsonb END) AS key
        UNION
        SELECT jsonb_object_keys(CASE WHEN jsonb_typeof(after) = 'object' THEN after ELSE '{}'::jsonb END)
    ) AS keys
    WHERE 'object' IN (jsonb_typeof(before), jsonb_typeof(after))
), leaf AS (
    SELECT id, path AS field,
           nullif(CASE WHEN jsonb_typeof(before) = 'object' THEN NULL ELSE before END, 'null'::jsonb) AS before,
           nullif(CASE WHEN jsonb_typeof(after) = 'object' THEN NULL ELSE after END, 'null'::jsonb) AS after
    FROM side
), difference (id, field, change, before, after) AS (
    SELECT id, field, CASE WHEN before IS NULL THEN 'added' WHEN after IS NULL THEN 'removed' ELSE 'changed' END,
           before #>> '{}', after #>> '{}'
    FROM leaf
    WHERE before IS DISTINCT FROM after
    UNION ALL
    SELECT id, field, 'added', NULL, member #>> '{}'
    FROM changed_field,
         LATERAL jsonb_array_elements(CASE WHEN jsonb_typeof(doc -> 'added') = 'array' THEN doc -> 'added' ELSE '[]'::jsonb END) AS member
    UNION ALL
    SELECT id, field, 'removed', member #>> '{}', NULL
    FROM changed_field,
         LATERAL jsonb_array_elements(CASE WHEN jsonb_typeof(doc -> 'removed') = 'array' THEN doc -> 'removed' ELSE '[]'::jsonb END) AS member
    UNION ALL
    SELECT id, field, 'secret', '••••••', '•••••• (changed)'
    FROM changed_field
    WHERE doc -> 'changed' = 'true'::jsonb
)
