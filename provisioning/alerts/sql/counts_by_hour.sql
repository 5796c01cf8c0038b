-- Counts by hours, then by five minutes. Columns: bucket, size, events and those asked for.
(
        SELECT bucket, interval '1 hour' AS size, events, {{columns}}
        FROM audit.volume_hours
        WHERE bucket >= date_trunc('hour', {{start}}, 'UTC') AND bucket < date_trunc('hour', {{hours_until}}::timestamptz, 'UTC')
        UNION ALL
        SELECT bucket, interval '5 minutes', events, {{columns}}
        FROM audit.volume
        WHERE bucket >= date_trunc('hour', {{hours_until}}::timestamptz, 'UTC') AND bucket < {{end}}
    ) AS counted
