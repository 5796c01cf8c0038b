-- How much was done to each object that can be among the 20 with the most events: over long ranges from the totals of
-- whole days, else as acts.sql has it, of all objects.
-- Columns: target_type, target_id, target_name, events, failures, last_at. Parameters: the filters.
(
    SELECT target_type, target_id, target_name, events, failures, last_at
    FROM audit.busiest_targets({{from 0}}, {{to 0}}, 20)
    WHERE {{unchosen}} AND '__all__' IN ($country)
    UNION ALL
    SELECT target_type, target_id, target_name, events, CASE WHEN outcome = 'failure' THEN events ELSE 0 END, last_at
    FROM {{touches 0}} AS chosen
    WHERE NOT ({{unchosen}} AND '__all__' IN ($country)) AND {{choices}}
)
