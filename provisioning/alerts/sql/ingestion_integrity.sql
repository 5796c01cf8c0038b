-- What `auditgraf verify` found changed, deleted or inserted. Columns: what, value (findings of one run).
SELECT 'audit.events' AS what, max(findings)::float8 AS value
FROM audit.verifications
WHERE finished_at BETWEEN $__timeFrom() AND $__timeTo()
HAVING max(findings) > {{above}}
