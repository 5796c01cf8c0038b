-- Two hours of audit events for tests of the dashboards: three people in four places, failures, changes, an
-- impersonation, a plain log, an event with nothing in it but what is required, and one of hostile texts.
SELECT audit.ensure_partitions(class, ARRAY[(now() AT TIME ZONE 'UTC')::date - 1, (now() AT TIME ZONE 'UTC')::date])
FROM audit.retention;

INSERT INTO audit.sources (digest, service, environment, resource, resource_schema_url, scope, scope_schema_url)
VALUES ('\x01', 'shop', 'production', '{"service.name": "shop", "host.name": "shop-1"}', '', '{"name": "shop.audit"}', '');

CREATE FUNCTION pg_temp.event_id(moment timestamptz, number int) RETURNS uuid LANGUAGE sql
RETURN (lpad(to_hex(floor(extract(epoch FROM moment) * 1000)::bigint), 12, '0') || '7000a' || lpad(to_hex(number), 15, '0'))::uuid;

CREATE TEMPORARY TABLE fresh AS
SELECT n, moment, pg_temp.event_id(moment, n) AS id
FROM generate_series(1, 240) AS n, LATERAL (SELECT now() - n * interval '30 seconds' AS moment) AS t;

INSERT INTO audit.events_default (
    id, occurred_at, received_at, occurred_ns, source_id, severity, severity_text, action, outcome, actor_id, actor_name,
    actor_email, actor_type, on_behalf_of, client_ip, country, city, latitude, longitude, asn, as_org, target_type,
    target_id, target_name, service, environment, message, changes, attributes, flags)
SELECT id, moment, moment + interval '1 second', (extract(epoch FROM moment) * 1000000)::bigint * 1000, 1, 9, 'INFO',
       (ARRAY['user.login', 'model.updated', 'order.created', 'stock.counted'])[n % 4 + 1],
       CASE WHEN n % 10 = 0 THEN 'failure' ELSE 'success' END,
       (ARRAY['u-1', 'u-2', 'u-3'])[n % 3 + 1], (ARRAY['Ada', 'Ben', 'Chiara'])[n % 3 + 1],
       (ARRAY['ada', 'ben', 'chiara'])[n % 3 + 1] || '@example.com', 'user', CASE WHEN n % 50 = 0 THEN 'u-2' END,
       '203.0.113.1'::inet + n % 4, (ARRAY['DE', 'BR', 'JP', 'NZ'])[n % 4 + 1],
       (ARRAY['Berlin', 'São Paulo', 'Tokyo', 'Auckland'])[n % 4 + 1], (ARRAY[52.52, -23.55, 35.68, -36.85])[n % 4 + 1],
       (ARRAY[13.4, -46.63, 139.65, 174.76])[n % 4 + 1], 64500, 'Example Net',
       CASE WHEN n % 4 = 1 THEN 'order' END, CASE WHEN n % 4 = 1 THEN (n % 7)::text END, NULL, 'shop', 'production',
       'event ' || n,
       CASE WHEN n % 4 = 1 THEN '{"price": {"before": 1, "after": 2}, "note": {"before": null, "after": "new"},
           "address": {"before": {"city": "Bonn", "geo": {"lat": 1}}, "after": {"city": "Berlin", "geo": {"lat": 1}}},
           "tags": {"added": ["a", "b"], "removed": ["c"]}, "password": {"changed": true},
           "kind": {"before": {"x": 1}, "after": "plain"}}'::jsonb END,
       '{"http.request.method": "POST"}', '{}'
FROM fresh;

INSERT INTO audit.events_security (id, occurred_at, received_at, occurred_ns, source_id, severity, outcome, attributes, flags)
SELECT pg_temp.event_id(now() - interval '15 minutes', 4000), now() - interval '15 minutes', now(), 0, 1, 0, 'unknown', '{}', '{}';

INSERT INTO audit.events_log (id, occurred_at, received_at, occurred_ns, source_id, severity, outcome, message, attributes, flags)
SELECT pg_temp.event_id(now() - interval '5 minutes', 4001), now() - interval '5 minutes', now(), 0, 1, 9, 'unknown', 'a plain log', '{}', '{}';

ANALYZE;
