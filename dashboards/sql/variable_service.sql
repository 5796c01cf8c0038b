-- Services of the time range, for the variable service.
SELECT DISTINCT coalesce(service, '(none)') FROM audit.events
WHERE $__timeFilter(occurred_at) AND retention_class <> 'log' ORDER BY 1 LIMIT 500
