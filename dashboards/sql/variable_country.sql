-- Countries of the time range, for the variable country. Never nothing: Grafana 9.4 takes that for an error.
SELECT coalesce(country, '(none)') FROM audit.place_totals($__timeFrom(), $__timeTo()) AS places
WHERE retention_class <> 'log'
UNION
SELECT '(none)'
ORDER BY 1
LIMIT 300
