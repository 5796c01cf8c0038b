-- The audit events of the time range about the object of the variable which, where it has an id, which has an index.
-- What kind of key it is, is a constant to the planner. Parameter: which.
audit.events
WHERE left('${which:percentencode}', 5) = 'id%3A' AND $__timeFilter(occurred_at) AND retention_class <> 'log'
    AND target_id = {{which_key}} AND coalesce(target_type, '') = {{which_type}}
