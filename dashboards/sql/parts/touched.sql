-- The audit events of the time range about the object of the variable which. Parameter: which.
-- Columns: those of audit.events, moment, events.
(
    SELECT *, occurred_at AS moment, 1 AS events FROM {{touched_by_id}}
    UNION ALL
    SELECT *, occurred_at, 1 FROM {{touched_by_name}}
)
