-- The start of the first whole UTC day of the time range and the week before. A constant.
(date_bin('1 day', {{from 168}} AT TIME ZONE 'UTC' + interval '86399.999999 seconds', 'epoch'::timestamp) AT TIME ZONE 'UTC')
