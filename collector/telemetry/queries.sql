-- What the collector tells about itself.

-- name: add_sample
-- One interval. A second try of a row whose first was committed after all changes nothing.
INSERT INTO audit.collector_samples (
    sampled_at, instance, started_at, version, seconds,
    requests, refused, refused_by, rejected, rejected_by,
    records, stored, duplicates, dropped, quarantined, unavailable, dropped_by, quarantined_by,
    lag_seconds, commit_seconds, waiting_requests, waiting_bytes, spool_bytes, cpu_seconds, memory_bytes)
VALUES (
    %(sampled_at)s, %(instance)s, %(started_at)s, %(version)s, %(seconds)s,
    %(requests)s, %(refused)s, %(refused_by)s, %(rejected)s, %(rejected_by)s,
    %(records)s, %(stored)s, %(duplicates)s, %(dropped)s, %(quarantined)s, %(unavailable)s, %(dropped_by)s,
    %(quarantined_by)s, %(lag_seconds)s, %(commit_seconds)s, %(waiting_requests)s, %(waiting_bytes)s,
    %(spool_bytes)s, %(cpu_seconds)s, %(memory_bytes)s)
ON CONFLICT DO NOTHING;

-- name: forget_samples
SELECT audit.forget_samples(%s);
