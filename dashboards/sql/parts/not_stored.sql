-- What was not stored as it came, by what became of it and why: records, and for 'rejected request' requests.
-- Columns: sampled_at, what, why, number. Parameter: instance.
(
    WITH sample AS (
        SELECT sampled_at, duplicates, dropped_by, quarantined_by, unavailable, rejected_by FROM {{samples}}
    )
    SELECT sampled_at, 'duplicate' AS what, 'stored before' AS why, duplicates AS number FROM sample
    UNION ALL
    SELECT sampled_at, 'unavailable', 'the sender tries again', unavailable FROM sample
    UNION ALL
    SELECT sampled_at, kind, left(reason.key, 200), reason.value::bigint
    FROM sample,
         LATERAL (VALUES ('dropped', dropped_by), ('quarantined', quarantined_by), ('rejected request', rejected_by))
             AS kinds (kind, reasons),
         LATERAL jsonb_each_text(reasons) AS reason
)
