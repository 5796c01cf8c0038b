-- Retention classes of audit events, for the variable class.
SELECT class FROM audit.retention WHERE class <> 'log' ORDER BY 1 LIMIT 200
