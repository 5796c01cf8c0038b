-- What the moments of counted.sql are the starts of, where they are not those of the events themselves. A constant.
CASE WHEN {{hourly}} THEN interval '1 hour' ELSE interval '5 minutes' END
