-- The event of the variable event_id. Its id tells the millisecond, so one day's partition is read.
SELECT *
    FROM audit.events
    WHERE id = {{event_id}}
        AND occurred_at >= audit.event_time({{event_id}}) - interval '1 ms'
        AND occurred_at < audit.event_time({{event_id}}) + interval '2 ms'
    LIMIT 1
