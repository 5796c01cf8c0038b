-- The start of the UTC day in which the time range ends. A constant.
date_bin('1 day', {{to 0}}, 'epoch'::timestamptz)
