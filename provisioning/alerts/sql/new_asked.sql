-- Whether a candidate's actor had these values before, by the actor's index where there is an id. A scalar with a LIMIT is
-- asked for each candidate, where an EXISTS would be joined with all of the past.
coalesce(
    CASE WHEN by_id IS NOT NULL THEN (
        SELECT true FROM audit.events
        WHERE occurred_at >= {{start}} AND occurred_at < {{until}} AND actor_id = by_id
            AND {{condition}} AND {{same}}
        LIMIT 1
    ) ELSE (
        SELECT true FROM audit.events
        WHERE occurred_at >= {{start}} AND occurred_at < {{until}} AND coalesce(actor_id, '') = ''
            AND {{condition}} AND {{same}}
        LIMIT 1
    ) END, false)
