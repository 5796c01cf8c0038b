-- As choices.sql. Parameters: also severity (level names), class (retention classes); several or '__all__'.
{{choices}}
    AND ('__all__' IN ($severity) OR {{level}} IN ($severity))
    AND ('__all__' IN ($class) OR retention_class IN ($class))
