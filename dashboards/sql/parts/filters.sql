-- The audit events of the time range that the variables let through.
-- Parameters: those of choices.sql and texts.sql.
$__timeFilter(occurred_at)
    AND {{choices}}
    AND {{texts}}
