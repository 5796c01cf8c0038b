-- Actors that the text finds, for the variable who: the one whose id it is, whatever the time range, and no other; else the
-- one without id whose name it is, then those whose id, name or email has it, the most active first. Without a text,
-- those of the newest 10,000 events. Never nothing: Grafana 9.4 takes that for an error. Parameter: actor. Columns: __text, __value (kind:key).
WITH exact AS (
    SELECT actor_id, {{actor}} AS name
    FROM audit.events
    WHERE '${actor:percentencode}' <> '' AND actor_id = {{text actor}}
    ORDER BY occurred_at DESC
    LIMIT 1
), recent AS (
    SELECT actor_id, actor_name, actor_email, actor_type, retention_class, 1::bigint AS events
    FROM audit.events
    WHERE '${actor:percentencode}' = '' AND $__timeFilter(occurred_at) AND retention_class <> 'log'
    ORDER BY occurred_at DESC
    LIMIT 10000
), found AS (
    SELECT actor_id, actor_name, actor_email, actor_type, events FROM recent
    UNION ALL
    SELECT actor_id, actor_name, actor_email, actor_type, events
    FROM audit.actor_totals($__timeFrom(), $__timeTo()) AS totals
    WHERE '${actor:percentencode}' <> '' AND retention_class <> 'log' AND NOT EXISTS (SELECT FROM exact)
        AND strpos(lower(concat_ws(' ', actor_id, actor_name, actor_email)), lower({{text actor}})) > 0
)
SELECT __text, __value
FROM (
    SELECT coalesce(name, actor_id) AS __text, 'id:' || actor_id AS __value, 0 AS place, 1::bigint AS events FROM exact
    UNION ALL
    SELECT max({{actor}}), CASE WHEN coalesce(actor_id, '') = '' THEN 'name:' ELSE 'id:' END || {{actor_key}},
           min(CASE WHEN {{actor_key}} = {{text actor}} THEN 1 ELSE 2 END), sum(events)
    FROM found
    WHERE {{actor_key}} <> ''
    GROUP BY 2
    UNION ALL
    SELECT '(nobody found)', '', 3, 0 WHERE NOT EXISTS (SELECT FROM exact) AND NOT EXISTS (SELECT FROM found WHERE {{actor_key}} <> '')
) AS named
ORDER BY place, events DESC, __value
LIMIT 200
