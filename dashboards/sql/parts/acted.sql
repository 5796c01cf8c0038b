-- The audit events of the time range that the actor of the variable who caused. Parameter: who.
-- Columns: those of audit.events, moment, events.
(
    SELECT *, occurred_at AS moment, 1 AS events FROM {{acted_by_id}}
    UNION ALL
    SELECT *, occurred_at, 1 FROM {{acted_by_name}}
)
