-- The start of the time range, earlier by some hours. By way of UTC without zone, since that is a constant to the
-- planner, which then leaves out the partitions before. Argument: hours.
(($__timeFrom()::timestamptz AT TIME ZONE 'UTC' - interval '@ hours') AT TIME ZONE 'UTC')
