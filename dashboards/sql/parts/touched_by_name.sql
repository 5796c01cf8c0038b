-- The audit events of the time range about the object of the variable which, where it has a name but no id.
-- Parameter: which.
audit.events
WHERE left('${which:percentencode}', 7) = 'name%3A' AND $__timeFilter(occurred_at) AND retention_class <> 'log'
    AND coalesce(target_id, '') = '' AND target_name = {{which_key}} AND coalesce(target_type, '') = {{which_type}}
