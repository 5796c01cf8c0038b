-- Audit events in a known country that did not all fail, of the typed actor. Parameter: actor.
retention_class <> 'log' AND events > failures AND country IS NOT NULL
        AND ('${actor:percentencode}' = '' OR actor_id = {{text actor}}
             OR strpos(lower(concat_ws(' ', actor_name, actor_email)), lower({{text actor}})) > 0)
