-- How much each actor did: over long ranges from the totals of whole days, else as acts.sql has it.
-- Columns: actor_id, actor_name, actor_email, actor_type, country, events, failures, last_at. Parameters: the filters.
(
    SELECT actor_id, actor_name, actor_email, actor_type, country, events, failures, last_at
    FROM audit.actor_totals({{from 0}}, {{to 0}})
    WHERE {{unchosen}} AND {{chosen_country}}
    UNION ALL
    SELECT actor_id, actor_name, actor_email, actor_type, country, events, CASE WHEN outcome = 'failure' THEN events ELSE 0 END, last_at
    FROM {{acts 0}} AS chosen
    WHERE NOT {{unchosen}} AND {{choices}}
)
