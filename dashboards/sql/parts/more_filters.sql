-- The audit events of the time range that the variables of the events dashboard let through.
-- Parameters: those of more_choices.sql and more_texts.sql.
$__timeFilter(occurred_at)
    AND {{more_choices}}
    AND {{more_texts}}
