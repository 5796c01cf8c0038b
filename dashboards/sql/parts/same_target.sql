-- The events, called other, that are about the target of the event called event, 90 days before and after it. By its id
-- alone: names have no index.
audit.events AS other
WHERE other.occurred_at BETWEEN audit.event_time({{event_id}}) - interval '90 days'
                            AND audit.event_time({{event_id}}) + interval '90 days'
    AND other.retention_class <> 'log'
    AND other.target_id = event.target_id
    AND other.target_type IS NOT DISTINCT FROM event.target_type
