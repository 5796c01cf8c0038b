-- Objects that the text finds, for the variable which: the one whose type and id it is, whatever the time range, and no
-- other (any space, or the beginning, may end the type; the rest is looked up as an id); else those whose id it is, then
-- those whose type and name have it (of 50,000 counts by day that do), the most frequent first. Without a text, those of
-- the newest 10,000 events. Never nothing: Grafana 9.4 takes that for an error.
-- Parameter: object. Columns: __text, __value (kind:length of the type:type and key).
WITH exact AS (
    SELECT split.type AS target_type, split.key AS target_id, there.target_name
    FROM (
        SELECT rtrim(left(said, n - 1)) AS type, substr(said, n) AS key
        FROM (SELECT left({{text object}}, 300) AS said) AS variable, LATERAL generate_series(1, length(said)) AS n
        WHERE n = 1 OR substr(said, n - 1, 1) = ' '
    ) AS split, LATERAL (
        SELECT target_name FROM audit.events
        WHERE '${object:percentencode}' <> '' AND target_id = split.key AND coalesce(target_type, '') = split.type
            AND retention_class <> 'log'
        LIMIT 1
    ) AS there
), recent AS (
    SELECT target_type, target_id, target_name
    FROM audit.events
    WHERE '${object:percentencode}' = '' AND $__timeFilter(occurred_at) AND retention_class <> 'log'
    ORDER BY occurred_at DESC
    LIMIT 10000
), found AS (
    SELECT target_type, target_id, target_name, 1::bigint AS events FROM recent
    UNION ALL
    (
        SELECT target_type, target_id, target_name, 1
        FROM audit.events
        WHERE '${object:percentencode}' <> '' AND $__timeFilter(occurred_at) AND retention_class <> 'log'
            AND target_id = {{text object}} AND NOT EXISTS (SELECT FROM exact)
        LIMIT 10000
    )
    UNION ALL
    (
        SELECT target_type, target_id, target_name, events
        FROM audit.target_totals($__timeFrom(), $__timeTo()) AS totals
        WHERE '${object:percentencode}' <> '' AND retention_class <> 'log' AND NOT EXISTS (SELECT FROM exact)
            AND strpos(lower(concat_ws(' ', target_type, coalesce(target_name, target_id))), lower({{text object}})) > 0
        LIMIT 50000
    )
), named AS (
    SELECT target_type, target_id, target_name, 0 AS place, 1::bigint AS events FROM exact
    UNION ALL
    SELECT target_type, target_id, target_name, CASE WHEN {{text object}} IN (target_id, {{target_key}}) THEN 1 ELSE 2 END, events
    FROM found
    WHERE {{target_key}} <> ''
)
SELECT concat_ws(' ', nullif(type, ''), coalesce(nullif(name, ''), key)) AS __text,
       CASE WHEN kind = '' THEN '' ELSE concat(kind, ':', length(type), ':', type, ' ', key) END AS __value
FROM (
    SELECT CASE WHEN coalesce(target_id, '') = '' THEN 'name' ELSE 'id' END AS kind, coalesce(target_type, '') AS type,
           coalesce(nullif(target_id, ''), target_name) AS key, max(target_name) AS name, min(place) AS place,
           sum(events) AS events
    FROM named
    GROUP BY 1, 2, 3
    UNION ALL
    SELECT '', '', NULL, '(nothing found)', 2, 0 WHERE NOT EXISTS (SELECT FROM named)
) AS object
ORDER BY place, events DESC, key
LIMIT 200
