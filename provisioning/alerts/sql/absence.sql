-- Groups that were there and have fallen silent. Columns: labels, value (minutes since the last event).
WITH seen AS MATERIALIZED (
    SELECT {{keys}}, {{shown}}, max({{last}}) AS last_at
    FROM {{source}}
    WHERE {{moment}} >= {{baseline}} AND {{moment}} <= $__timeTo()
        AND {{condition}}
    {{grouped_in}}
)
SELECT {{labels}}(extract(epoch FROM $__timeTo()::timestamptz - last_at) / 60)::float8 AS value
FROM seen
WHERE {{known}} AND last_at < $__timeTo()::timestamptz - {{window}}
ORDER BY last_at DESC
LIMIT {{most}}
