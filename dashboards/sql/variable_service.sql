-- Services of the time range, for the variable service. Never nothing: Grafana 9.4 takes that for an error.
SELECT coalesce(service, '(none)') FROM {{known service}} AS known
UNION
SELECT '(none)'
ORDER BY 1
LIMIT 500
