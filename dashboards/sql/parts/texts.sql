-- What the typed texts let through. Parameters: actor (exact id, or part of name or email), q (part of any text of the
-- event).
('${actor:percentencode}' = '' OR {{text actor}} IN (actor_id, on_behalf_of)
         OR strpos(lower(concat_ws(' ', actor_name, actor_email)), lower({{text actor}})) > 0)
    AND ('${q:percentencode}' = ''
         OR strpos(lower(concat_ws(' ', message, action, actor_id, actor_name, actor_email, on_behalf_of, host(client_ip),
                                   client_address, city, as_org, target_type, target_id, target_name, service, session_id,
                                   trace_id, user_agent, changes::text, attributes::text)), lower({{text q}})) > 0)
