-- A database as a company of ten thousand people leaves it: who they are, what they work on, and a day of their events.
-- Statements are sent one by one; %(...)s are their parameters.

-- name: people
-- Ten thousand actors, the first hundred of them programs; each lives at a place and has up to three addresses.
CREATE TEMPORARY TABLE people AS
SELECT n, CASE WHEN n <= 100 THEN 'svc-' || n ELSE md5(n::text)::uuid::text END AS actor_id,
       CASE WHEN n <= 100 THEN 'service ' || n ELSE initcap(substr(md5('f' || n), 1, 6)) || ' ' || initcap(substr(md5('l' || n), 1, 8)) END AS name,
       CASE WHEN n > 100 THEN substr(md5('f' || n), 1, 6) || '.' || substr(md5('l' || n), 1, 8) || '@example.com' END AS email,
       CASE WHEN n <= 100 THEN 'service' ELSE 'user' END AS type,
       1 + floor(600 * power(random(), 2.5))::int AS home,
       1 + (n % 3) AS addresses
FROM generate_series(1, 10000) AS n;

-- name: places
-- Six hundred towns in sixty countries, few of them with many people.
CREATE TEMPORARY TABLE places AS
SELECT n, chr(65 + n % 60 / 26) || chr(65 + n % 60 % 26) AS country, 'Town ' || n AS city,
       round((random() * 130 - 60)::numeric, 4)::float8 AS latitude, round((random() * 340 - 170)::numeric, 4)::float8 AS longitude
FROM generate_series(1, 600) AS n;

-- name: actions
-- Sixty actions of twelve services; some are much more frequent than others.
CREATE TEMPORARY TABLE actions AS
SELECT n, 'service-' || 1 + n % 12 AS service, CASE WHEN n % 12 = 3 THEN 'staging' ELSE 'production' END AS environment,
       (ARRAY['user', 'order', 'invoice', 'document', 'policy', 'role', 'token', 'project', 'stock', 'export'])[1 + n % 10]
       || '.' || (ARRAY['login', 'updated', 'viewed', 'created', 'deleted', 'shared'])[1 + n / 10 % 6] AS action,
       n % 10 NOT IN (0, 6) AS has_target, n / 10 % 6 = 1 AS has_changes
FROM generate_series(0, 59) AS n;

-- name: analyze
ANALYZE people, places, actions;

-- name: partition
SELECT audit.ensure_partitions(%(class)s, ARRAY[%(day)s::date]);

-- name: source
INSERT INTO audit.sources (digest, service, environment, resource, resource_schema_url, scope, scope_schema_url)
VALUES ('\x62656e6368', 'service-1', 'production', '{"service.name": "service-1"}', '', '{"name": "bench"}', '')
ON CONFLICT DO NOTHING;

-- name: events
-- One day: its number of events, more of them at work than at night; most by few, on few of 25,000 objects a type.
INSERT INTO audit.events_default (
    id, occurred_at, received_at, occurred_ns, source_id, severity, severity_text, action, outcome, actor_id, actor_name,
    actor_email, actor_type, client_ip, country, city, latitude, longitude, asn, as_org, target_type, target_id,
    target_name, service, environment, session_id, trace_id, span_id, user_agent, message, changes, attributes, flags)
SELECT (lpad(to_hex(floor(extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7' || substr(md5(e.n::text || at), 1, 3)
        || 'a' || substr(md5(at || e.n::text), 1, 15))::uuid,
       at, at + interval '120 ms', (extract(epoch FROM at) * 1000000)::bigint * 1000, 1,
       CASE WHEN failed THEN 13 ELSE 9 END, CASE WHEN failed THEN 'WARN' ELSE 'INFO' END, a.action,
       CASE WHEN failed THEN 'failure' WHEN e.n %% 200 = 0 THEN 'unknown' ELSE 'success' END, p.actor_id, p.name, p.email,
       p.type, '10.0.0.0'::inet + (p.n * 7 + address), place.country, place.city, place.latitude, place.longitude,
       64500 + place.n %% 40, 'Network ' || place.n %% 40, CASE WHEN a.has_target THEN split_part(a.action, '.', 1) END,
       CASE WHEN a.has_target THEN e.target::text END, CASE WHEN a.has_target THEN 'No. ' || e.target END,
       a.service, a.environment, md5((p.n + date_part('hour', at))::text), md5(e.n::text || at), substr(md5(at || e.n::text), 1, 16),
       'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36', a.action || ' by ' || p.name || ', request ' || e.n,
       CASE WHEN a.has_changes THEN jsonb_build_object('price', jsonb_build_object('before', e.target %% 97, 'after', e.n %% 97)) END,
       jsonb_build_object('http.request.method', 'POST', 'url.path', '/api/' || e.target, 'http.response.status_code', 200),
       '{}'
FROM (
    SELECT n, %(day)s::date::timestamp AT TIME ZONE 'UTC'
              + interval '1 us' * floor(86399999999.0 * CASE WHEN random() < 0.3 THEN random() ELSE 0.3 + 0.45 * random() END) AS at,
           1 + floor(10000 * power(random(), 2))::int AS person, floor(60 * power(random(), 2))::int AS action,
           1 + floor(25000 * power(random(), 2.5))::int AS target, random() < 0.06 AS failed, floor(3 * random())::int AS address,
           CASE WHEN random() < 0.03 THEN 1 + floor(600 * random())::int END AS travel
    FROM generate_series(1, %(events)s) AS n OFFSET 0
) AS e
JOIN people AS p ON p.n = e.person
JOIN actions AS a ON a.n = e.action
JOIN places AS place ON place.n = coalesce(e.travel, p.home)
ORDER BY at;

-- name: logs
-- Plain records of the same day, which are no audit events.
INSERT INTO audit.events_log (id, occurred_at, received_at, occurred_ns, source_id, severity, outcome, service, message, attributes, flags)
SELECT gen_random_uuid(), at, at, (extract(epoch FROM at) * 1000000)::bigint * 1000, 1, 9, 'unknown', 'service-1', 'line ' || n, '{}', '{}'
FROM (SELECT n, %(day)s::date::timestamp AT TIME ZONE 'UTC' + interval '1 day' * random() AS at FROM generate_series(1, %(events)s) AS n) AS line
ORDER BY at;

-- name: count
-- What the writer would have counted, by the same definitions.
SELECT audit.recount(%(class)s, %(day)s::date, %(day)s::date);
