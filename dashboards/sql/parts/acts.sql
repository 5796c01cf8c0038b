-- Who did how much from where, in the time range and some hours before: over long ranges from the summaries of whole
-- days, else from the events themselves. What reads it adds the part choices.
-- Columns: the actor's and the place's, retention_class, service, action, outcome, country, events, first_at, last_at.
-- Parameters: actor, q. Argument: hours.
(
    SELECT actor_id, actor_name, actor_email, actor_type, on_behalf_of, client_ip, city, latitude, longitude, retention_class, service, action, outcome, country, events, first_at, last_at
    FROM audit.volume_actors({{from @}}, {{to 0}})
    WHERE {{days @}}
    UNION ALL
    SELECT actor_id, actor_name, actor_email, actor_type, on_behalf_of, client_ip, city, latitude, longitude, retention_class, service, action, outcome, country, 1, occurred_at, occurred_at
    FROM audit.events
    WHERE NOT {{days @}} AND occurred_at BETWEEN {{from @}} AND {{to 0}} AND {{texts}}
)
