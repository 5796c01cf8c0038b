-- Collectors of the time range, for the variable instance. Never nothing: Grafana 9.4 takes that for an error.
SELECT instance FROM audit.collector_health WHERE $__timeFilter(sampled_at)
UNION
SELECT '(none)'
ORDER BY 1
LIMIT 200
