-- Whether the summaries of whole days answer: a range over a day, and no text, which only the events have. A constant.
-- Argument: hours that the range begins earlier.
($__unixEpochTo() - $__unixEpochFrom() + @ * 3600 > 86400 AND '${actor:percentencode}' = '' AND '${q:percentencode}' = '')
