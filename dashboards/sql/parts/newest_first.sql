-- For ORDER BY. With a typed actor, whose events are few, no plain column: the planner would go back through the events of
-- all actors until it has found enough.
CASE WHEN '${actor:percentencode}' = '' THEN occurred_at ELSE greatest(occurred_at, '-infinity') END DESC
