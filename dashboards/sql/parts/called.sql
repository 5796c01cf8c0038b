-- What actors that the typed one can mean were called on the whole days of the time range and of the week before.
-- Parameter: actor. Columns: those of audit.actor_names.
(
    SELECT * FROM audit.actor_names({{whole_from}}, {{whole_to}}) AS names
    WHERE {{text actor}} IN (actor_id, on_behalf_of)
        OR strpos(lower(concat_ws(' ', actor_name, actor_email)), lower({{text actor}})) > 0
)
