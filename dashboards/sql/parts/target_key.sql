-- What finds a target again: its id, else its name.
coalesce(nullif(target_id, ''), nullif(target_name, ''), '')
