-- Counted events of the time range, moved back by some hours: over long ranges those of audit.volume, over still longer
-- ones of audit.volume_hours (their moment is the start of their five minutes or their hour) and, so that the sum is
-- exact, the events of the step that the range cuts at its start and at its end; else the events themselves.
-- Columns: moment, service, action, outcome, events. Parameters: those of filters.sql.
-- Arguments: hours; more_ for the parameters of more_filters.sql.
(
    SELECT bucket AS moment, service, action, outcome, events
    FROM (SELECT *, NULL::text AS country, NULL::smallint AS severity FROM audit.volume_hours) AS hours
    WHERE {{@2hourly}} AND {{@2choices}}
        AND bucket >= {{from @}} AND bucket < date_bin('1 hour', {{to @}}, 'epoch'::timestamptz)
    UNION ALL
    SELECT bucket, service, action, outcome, events
    FROM audit.volume
    WHERE {{@2long}} AND NOT {{@2hourly}} AND {{@2choices}}
        AND bucket >= {{from @}} AND bucket < date_bin('5 minutes', {{to @}}, 'epoch'::timestamptz)
    UNION ALL
    SELECT occurred_at, service, action, outcome, 1
    FROM audit.events
    WHERE {{@2long}} AND {{@2choices}}
        AND occurred_at >= {{from @}} AND date_bin({{@2step}}, occurred_at, 'epoch'::timestamptz) < {{from @}}
        AND occurred_at < (({{from @}} AT TIME ZONE 'UTC' + {{@2step}}) AT TIME ZONE 'UTC')
    UNION ALL
    SELECT occurred_at, service, action, outcome, 1
    FROM audit.events
    WHERE {{@2long}} AND {{@2choices}}
        AND occurred_at BETWEEN date_bin({{@2step}}, {{to @}}, 'epoch'::timestamptz) AND {{to @}}
    UNION ALL
    SELECT occurred_at, service, action, outcome, 1
    FROM audit.events
    WHERE NOT {{@2long}} AND occurred_at BETWEEN {{from @}} AND {{to @}} AND {{@2choices}} AND {{@2texts}}
)
