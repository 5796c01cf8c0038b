-- The records of the time range that the variables of the live dashboard let through, plain logs included.
-- Parameters: service, severity (several or '__all__'), show (all, audit or logs), actor, q.
$__timeFilter(occurred_at)
    AND ('__all__' IN ($service) OR coalesce(service, '(none)') IN ($service))
    AND ('__all__' IN ($severity) OR {{level}} IN ($severity))
    AND ('${show:percentencode}' NOT IN ('audit', 'logs') OR ('${show:percentencode}' = 'logs') = (retention_class = 'log'))
    AND {{texts}}
