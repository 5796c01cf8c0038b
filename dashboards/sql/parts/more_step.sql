-- As step.sql, for the variables of more_choices.sql and more_texts.sql.
CASE WHEN {{more_hourly}} THEN interval '1 hour' ELSE interval '5 minutes' END
