-- From when on events are looked through for a text: the newest 200,000 of the time range, by whole hours; -infinity where
-- it has no more.
(
    SELECT coalesce(max(bucket), '-infinity')
    FROM (
        SELECT bucket, sum(sum(events)) OVER (ORDER BY bucket DESC) AS so_far
        FROM audit.volume_hours
        WHERE retention_class <> 'log' AND bucket BETWEEN {{from 0}} AND {{to 0}}
            AND bucket >= (
                SELECT coalesce(max(day)::timestamp AT TIME ZONE 'UTC', '-infinity')
                FROM (
                    SELECT day, sum(sum(events)) OVER (ORDER BY day DESC) AS so_far
                    FROM audit.volume_days
                    WHERE retention_class <> 'log' AND day BETWEEN ({{from 0}} AT TIME ZONE 'UTC')::date AND ({{to 0}} AT TIME ZONE 'UTC')::date
                    GROUP BY day
                ) AS days
                WHERE so_far >= 200000 + coalesce((SELECT sum(events) FROM audit.volume_days WHERE day = ({{to 0}} AT TIME ZONE 'UTC')::date), 0)
            )
        GROUP BY bucket
    ) AS hours
    WHERE so_far >= 200000
)
