-- What was acted on how often, in the time range; as acts.sql, with the columns of the target in place of the place's.
-- Parameters: actor, q. Argument: hours.
(
    SELECT target_type, target_id, target_name, actor_id, actor_name, actor_email, on_behalf_of, retention_class, service, action, outcome, country, events, first_at, last_at
    FROM audit.volume_targets({{from @}}, {{to 0}})
    WHERE {{days @}}
    UNION ALL
    SELECT target_type, target_id, target_name, actor_id, actor_name, actor_email, on_behalf_of, retention_class, service, action, outcome, country, 1, occurred_at, occurred_at
    FROM audit.events
    WHERE NOT {{days @}} AND occurred_at BETWEEN {{from @}} AND {{to 0}} AND {{texts}}
)
