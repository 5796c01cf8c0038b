-- Who signed in after three or more failures in the 30 minutes before, from wherever. Looks at the newest 100,000 events
-- of the time range. Names are compared, since a failed attempt often has no other id. Parameters: the filters. (OFFSET 0:
-- the words are looked for in each action once, not in each event.)
-- Columns: event_id, actor_key (for links), Time, Actor, Failures, Failed from (address of the last one), Signed in from,
-- Place, Minutes (since the first failure).
WITH newest AS MATERIALIZED (
    SELECT id, occurred_at, action, outcome, actor_id, actor_name, actor_email, actor_type, client_ip, city, country
    FROM audit.events
    WHERE {{filters}}
    ORDER BY {{newest_first}}
    LIMIT 100000
), known AS MATERIALIZED (
    SELECT action, outcome, {{failed_sign_in}} AS failed
    FROM (SELECT DISTINCT action, outcome FROM newest OFFSET 0) AS each_kind
    WHERE {{sign_in}}
), tried AS (
    SELECT id, occurred_at, {{actor_key}} AS actor_key, lower({{actor}}) AS name, {{actor}} AS actor, host(client_ip) AS address,
           {{place}} AS place, failed
    FROM newest JOIN known USING (action, outcome)
    WHERE {{actor}} IS NOT NULL
), counted AS (
    SELECT *, count(*) FILTER (WHERE failed) OVER before AS failures,
           min(occurred_at) FILTER (WHERE failed) OVER before AS first_failure,
           lag(address) OVER tries AS failed_from, lag(failed) OVER tries AS failed_before
    FROM (SELECT *, count(*) FILTER (WHERE failed) OVER (PARTITION BY name) AS of_name FROM tried) AS each_try
    WHERE of_name >= 3
    WINDOW tries AS (PARTITION BY name ORDER BY occurred_at, id),
           before AS (PARTITION BY name ORDER BY occurred_at RANGE BETWEEN interval '30 minutes' PRECEDING AND CURRENT ROW)
)
SELECT id::text AS event_id, actor_key, occurred_at AS "Time", actor AS "Actor", failures AS "Failures",
       failed_from AS "Failed from", address AS "Signed in from", place AS "Place",
       (extract(epoch FROM occurred_at - first_failure) / 60)::float8 AS "Minutes"
FROM counted
WHERE NOT failed AND failed_before AND failures >= 3
ORDER BY failures DESC, occurred_at DESC
LIMIT 100
