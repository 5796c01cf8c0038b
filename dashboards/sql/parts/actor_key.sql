-- What finds an actor again: the id, else what it is called.
coalesce(nullif(actor_id, ''), nullif(actor_name, ''), nullif(actor_email, ''), '')
