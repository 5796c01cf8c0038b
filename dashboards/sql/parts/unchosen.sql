-- Whether the daily totals answer, which know nothing of service and outcome: a range over a day, no text, and no choice
-- but that of a country. A constant.
({{days 0}} AND '__all__' IN ($service) AND '__all__' IN ($action) AND '__all__' IN ($outcome))
