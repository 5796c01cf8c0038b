-- Groups with far more, or far fewer, events than at the same time a week before.
-- Columns: labels, value (times as many).
WITH counted AS MATERIALIZED (
    SELECT {{keys}}, {{shown}},
           coalesce(sum({{number}}) FILTER (WHERE {{moment}} >= {{since}}), 0) AS events,
           coalesce(sum({{number}}) FILTER (WHERE {{moment}} < {{since}}), 0) AS before
    FROM {{source}}
    WHERE ({{moment}} >= {{since}} AND {{moment}} < {{until}}
           OR {{moment}} >= {{since}} - interval '168 hours' AND {{moment}} < {{until}} - interval '168 hours')
        AND {{condition}}
    {{grouped_in}}
)
SELECT {{labels}}(CASE WHEN before = 0 THEN events ELSE events::float8 / before END)::float8 AS value
FROM counted
WHERE {{known}} AND greatest(events, before) >= {{at_least}} AND ({{beyond}})
ORDER BY greatest(events, before) DESC
LIMIT {{most}}
