-- Audit events of the chosen countries. Parameter: country (several or '__all__').
retention_class <> 'log' AND ('__all__' IN ($country) OR coalesce(country, '(none)') IN ($country))
