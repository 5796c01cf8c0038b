-- Values of a column in the time range, those of audit events alone: over ranges of more than a day from the counts by hour.
-- Which it is, is a constant to the planner. Argument: service or action.
(
    SELECT @ FROM audit.volume_hours
    WHERE $__unixEpochTo() - $__unixEpochFrom() > 86400 AND retention_class <> 'log'
        AND bucket BETWEEN date_trunc('hour', $__timeFrom()::timestamptz) AND $__timeTo()
    UNION ALL
    SELECT @ FROM audit.events
    WHERE $__unixEpochTo() - $__unixEpochFrom() <= 86400 AND retention_class <> 'log' AND $__timeFilter(occurred_at)
)
