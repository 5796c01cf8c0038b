-- As hourly.sql, for the variables of more_choices.sql and more_texts.sql.
({{hourly}} AND {{more_long}} AND '__all__' IN ($severity))
