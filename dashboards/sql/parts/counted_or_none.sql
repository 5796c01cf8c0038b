-- As counted.sql, with one more row of 0 events at the end of the time range: numbers that have nothing to add up are 0,
-- each under its name. Parameters: those of filters.sql.
(
    SELECT moment, service, action, outcome, events FROM {{counted 0}} AS counted
    UNION ALL
    SELECT {{to 0}}, NULL, NULL, 'unknown', 0
)
