-- How an actor is called: name, else email, else id.
coalesce(nullif(actor_name, ''), nullif(actor_email, ''), nullif(actor_id, ''), nullif(actor_type, ''))
