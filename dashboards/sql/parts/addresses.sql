-- How much came from each address: over long ranges from the totals of whole days, else as acts.sql has it.
-- Columns: client_ip, country, events, failures, last_at. Parameters: the filters.
(
    SELECT client_ip, country, events, failures, last_at
    FROM audit.address_totals({{from 0}}, {{to 0}})
    WHERE {{unchosen}} AND {{chosen_country}}
    UNION ALL
    SELECT client_ip, country, events, CASE WHEN outcome = 'failure' THEN events ELSE 0 END, last_at
    FROM {{acts 0}} AS chosen
    WHERE NOT {{unchosen}} AND {{choices}}
)
