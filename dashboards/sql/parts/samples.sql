-- The collectors' reports of the time range. Parameter: instance (several or '__all__').
audit.collector_health
WHERE $__timeFilter(sampled_at) AND ('__all__' IN ($instance) OR instance IN ($instance))
