-- How much of which action came from each place: over long ranges from the totals of whole days, else as acts.sql has it.
-- Columns: country, city, latitude, longitude, action, events, failures, last_at. Parameters: the filters.
(
    SELECT country, city, latitude, longitude, action, events, failures, last_at
    FROM audit.place_totals({{from 0}}, {{to 0}})
    WHERE {{unchosen}} AND {{chosen_country}}
    UNION ALL
    SELECT country, city, latitude, longitude, action, events, CASE WHEN outcome = 'failure' THEN events ELSE 0 END, last_at
    FROM {{acts 0}} AS chosen
    WHERE NOT {{unchosen}} AND {{choices}}
)
