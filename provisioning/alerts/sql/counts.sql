-- Counts by five minutes. Columns: bucket, size, events and those asked for.
(
        SELECT bucket, interval '5 minutes' AS size, events, {{columns}}
        FROM audit.volume
        WHERE bucket >= {{start}} AND bucket < {{end}}
    ) AS counted
