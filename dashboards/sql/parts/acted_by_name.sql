-- The audit events of the time range that the actor of the variable who caused, where who is a name or an email, since
-- there is no id. Parameter: who.
audit.events
WHERE left('${who:percentencode}', 7) = 'name%3A' AND $__timeFilter(occurred_at) AND retention_class <> 'log'
    AND coalesce(actor_id, '') = '' AND {{actor_key}} = {{who}}
