-- Whether there was anybody with these values before, where the actor is what may be new.
coalesce((
    SELECT true FROM audit.events
    WHERE occurred_at >= {{start}} AND occurred_at < {{until}}
        AND {{condition}} AND {{same}}
    LIMIT 1
), false)
