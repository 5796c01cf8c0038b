-- What the variables with a choice let through; audit.volume has these columns as well as audit.events.
-- Records of class log are no audit events. Parameters: service, action, outcome, country (several or '__all__').
retention_class <> 'log'
    AND ('__all__' IN ($service) OR coalesce(service, '(none)') IN ($service))
    AND ('__all__' IN ($action) OR coalesce(action, '(none)') IN ($action))
    AND ('__all__' IN ($outcome) OR outcome IN ($outcome))
    AND ('__all__' IN ($country) OR coalesce(country, '(none)') IN ($country))
