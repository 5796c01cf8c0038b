-- The end of the time range, earlier by some hours. Argument: hours.
(($__timeTo()::timestamptz AT TIME ZONE 'UTC' - interval '@ hours') AT TIME ZONE 'UTC')
