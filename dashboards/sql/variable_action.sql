-- Actions of the time range, for the variable action. Never nothing: Grafana 9.4 takes that for an error.
SELECT coalesce(action, '(none)') FROM {{known action}} AS known
UNION
SELECT '(none)'
ORDER BY 1
LIMIT 1000
