-- All that an event says, one text.
concat_ws(' ', message, action, actor_id, actor_name, actor_email, on_behalf_of, host(client_ip), client_address, city, as_org,
          target_type, target_id, target_name, service, session_id, trace_id, user_agent, changes::text, attributes::text)
