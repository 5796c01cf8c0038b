-- Countries of the time range, for the variable country.
SELECT DISTINCT coalesce(country, '(none)') FROM audit.events
WHERE $__timeFilter(occurred_at) AND retention_class <> 'log' ORDER BY 1 LIMIT 300
