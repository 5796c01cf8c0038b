-- Actions of the time range, for the variable action.
SELECT DISTINCT coalesce(action, '(none)') FROM audit.events
WHERE $__timeFilter(occurred_at) AND retention_class <> 'log' ORDER BY 1 LIMIT 1000
