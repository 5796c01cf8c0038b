-- Realistic events, as many as %(events)s, over the last %(days)s days: about 450 bytes each as CSV.
INSERT INTO audit.events_default (
    id, occurred_at, received_at, occurred_ns, observed_ns, source_id, severity, severity_text, action, outcome,
    actor_id, actor_name, client_ip, country, city, latitude, longitude, target_type, target_id, service, environment,
    session_id, trace_id, span_id, message, attributes, flags
)
SELECT (lpad(to_hex((extract(epoch FROM moment) * 1000)::bigint), 12, '0') || '7' || substr(md5(n::text), 1, 19))::uuid,
       moment, moment + interval '1 second',
       (extract(epoch FROM moment) * 1000000)::bigint * 1000, (extract(epoch FROM moment) * 1000000)::bigint * 1000 + 500,
       n %% 5 + 1, 9, 'INFO',
       (ARRAY['user.login', 'user.logout', 'model.updated', 'order.created', 'invoice.paid'])[n %% 5 + 1],
       (ARRAY['success', 'success', 'success', 'failure'])[n %% 4 + 1],
       'u-' || n %% 9973, 'user' || n %% 9973,
       ('81.2.' || n %% 256 || '.' || n %% 251)::inet, 'GB', 'London', 51.5072, -0.1276,
       'order', (n %% 100003)::text, 'shop-' || n %% 5, 'production',
       substr(md5('s' || n), 1, 16), md5('t' || n), substr(md5('p' || n), 1, 16),
       'order ' || n || ' was touched by its owner',
       jsonb_build_object('http.request.method', 'POST', 'url.path', '/orders/' || n %% 100003, 'order.total', n %% 9999 / 100.0),
       '{}'
FROM generate_series(1, %(events)s) AS n,
     LATERAL (SELECT now() - n * (%(days)s * interval '1 day' / %(events)s)) AS at (moment);
