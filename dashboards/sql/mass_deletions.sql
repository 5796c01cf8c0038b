-- Actors who deleted ten or more within the same five minutes (those that audit.volume counts), in the last seven days of
-- the time range. Parameters: the filters. (OFFSET 0 in known: the words are looked for in each action once, not in each event.)
-- Columns: actor_key (for links), Time (first deletion), Actor, Deleted, Objects (distinct ones), What, Service, Address.
WITH deletions AS (
    SELECT bucket, events
    FROM audit.volume
    WHERE {{long}} AND {{choices}} AND {{deletion}} AND bucket <= {{to 0}}
        AND bucket >= date_bin('5 minutes', greatest({{from 0}}, {{to 168}}), 'epoch'::timestamptz)
    UNION ALL
    SELECT date_bin('5 minutes', occurred_at, 'epoch'::timestamptz), 1
    FROM audit.events
    WHERE NOT {{long}} AND {{filters}} AND {{deletion}} AND occurred_at >= {{to 168}}
), span AS MATERIALIZED (
    SELECT bucket FROM deletions GROUP BY 1 HAVING sum(events) >= 10 ORDER BY 1 DESC LIMIT 500
), near AS MATERIALIZED (
    SELECT span.bucket, found.*
    FROM span, LATERAL (
        SELECT occurred_at, action, actor_id, actor_name, actor_email, actor_type, target_type, target_id, target_name,
               service, client_ip
        FROM audit.events
        WHERE {{filters}} AND occurred_at >= span.bucket AND occurred_at < span.bucket + interval '5 minutes'
        OFFSET 0
    ) AS found
), known AS (
    SELECT action FROM (SELECT DISTINCT action FROM near OFFSET 0) AS each_action WHERE {{deletion}}
)
SELECT {{actor_key}} AS actor_key, min(occurred_at) AS "Time", coalesce(max({{actor}}), '(none)') AS "Actor",
       count(*) AS "Deleted", count(DISTINCT {{target_key}}) AS "Objects",
       string_agg(DISTINCT coalesce(nullif(target_type, ''), action), ', ') AS "What", max(service) AS "Service",
       max(host(client_ip)) AS "Address"
FROM near JOIN known USING (action)
GROUP BY bucket, 1
HAVING count(*) >= 10
ORDER BY 2 DESC, 4 DESC
LIMIT 100
