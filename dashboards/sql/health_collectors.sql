-- The collectors of the time range. Parameter: instance.
-- Columns: Collector, Version, Started, Last report, Requests, Records, Stored, Not stored.
SELECT instance AS "Collector", (array_agg(version ORDER BY sampled_at DESC))[1] AS "Version", max(started_at) AS "Started",
       max(sampled_at) AS "Last report", sum(requests)::bigint AS "Requests", sum(records)::bigint AS "Records",
       sum(stored)::bigint AS "Stored", sum(duplicates + dropped + quarantined + unavailable)::bigint AS "Not stored"
FROM {{samples}}
GROUP BY 1
ORDER BY 4 DESC, 1
LIMIT 200
