-- The audit events of the time range that the variables let through. Records of class log are no audit events.
-- Parameters: service, action, outcome, country (several values or '__all__'), actor (exact id, or part of name or
-- email), q (part of any text of the event).
$__timeFilter(occurred_at)
    AND retention_class <> 'log'
    AND ('__all__' IN ($service) OR coalesce(service, '(none)') IN ($service))
    AND ('__all__' IN ($action) OR coalesce(action, '(none)') IN ($action))
    AND ('__all__' IN ($outcome) OR outcome IN ($outcome))
    AND ('__all__' IN ($country) OR coalesce(country, '(none)') IN ($country))
    AND ('${actor:percentencode}' = '' OR {{text actor}} IN (actor_id, on_behalf_of)
         OR strpos(lower(concat_ws(' ', actor_name, actor_email)), lower({{text actor}})) > 0)
    AND ('${q:percentencode}' = ''
         OR strpos(lower(concat_ws(' ', message, action, actor_id, actor_name, actor_email, on_behalf_of, host(client_ip),
                                   client_address, city, as_org, target_type, target_id, target_name, service, session_id,
                                   trace_id, user_agent, changes::text, attributes::text)), lower({{text q}})) > 0)
