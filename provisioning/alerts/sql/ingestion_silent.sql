-- No collector has given a sign of life for the window, though one did within the week. Columns: what, value (seconds).
SELECT 'collector' AS what, extract(epoch FROM $__timeTo()::timestamptz - max(sampled_at))::float8 AS value
FROM audit.collector_health
WHERE sampled_at <= $__timeTo()
HAVING max(sampled_at) < $__timeTo()::timestamptz - greatest({{window}}, interval '1 second' * {{above}})
