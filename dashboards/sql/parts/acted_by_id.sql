-- The audit events of the time range that the actor of the variable who caused, where who is an id; it has an index.
-- What kind of key it is, is a constant to the planner. Parameter: who.
audit.events
WHERE left('${who:percentencode}', 5) = 'id%3A' AND $__timeFilter(occurred_at) AND retention_class <> 'log'
    AND actor_id = {{who}}
