-- The level that a severity number belongs to, by OpenTelemetry's ranges.
CASE WHEN severity BETWEEN 1 AND 24 THEN (ARRAY['trace', 'debug', 'info', 'warn', 'error', 'fatal'])[(severity + 3) / 4]
     ELSE 'unspecified' END
