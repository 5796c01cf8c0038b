-- The state of things in one row. Parameter: instance.
-- Columns: Collectors (that reported in the last minute of the range), Lag (seconds, greatest of the last five minutes),
-- Waiting (bytes), Spool (bytes), Quarantined (records ever), On disk (bytes of all partitions), Partitions, Holds.
WITH newest AS (
    SELECT DISTINCT ON (instance) waiting_bytes, spool_bytes
    FROM {{samples}} AND sampled_at > {{to 0}} - interval '1 minute'
    ORDER BY instance, sampled_at DESC
)
SELECT (SELECT count(DISTINCT instance) FROM audit.collector_health
        WHERE sampled_at BETWEEN {{to 0}} - interval '1 minute' AND {{to 0}}
            AND ('__all__' IN ($instance) OR instance IN ($instance))) AS "Collectors",
       (SELECT coalesce(max(lag_seconds), 0) FROM audit.collector_health
        WHERE sampled_at BETWEEN {{to 0}} - interval '5 minutes' AND {{to 0}}
            AND ('__all__' IN ($instance) OR instance IN ($instance))) AS "Lag",
       (SELECT coalesce(sum(waiting_bytes), 0)::float8 FROM newest) AS "Waiting",
       (SELECT coalesce(sum(spool_bytes), 0)::float8 FROM newest) AS "Spool",
       (SELECT count(*) FROM audit.quarantined) AS "Quarantined",
       (SELECT coalesce(sum(total_bytes), 0)::float8 FROM audit.storage) AS "On disk",
       (SELECT count(*) FROM audit.storage) AS "Partitions",
       (SELECT count(*) FROM audit.active_holds) AS "Holds"
