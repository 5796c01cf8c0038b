-- Whether audit.volume answers: a range over six hours, and no text, which only the events have. A constant, so that the
-- planner leaves out the arms of a UNION that it rules out.
($__unixEpochTo() - $__unixEpochFrom() > 21600 AND '${actor:percentencode}' = '' AND '${q:percentencode}' = '')
