-- True of all events that the typed actor can be the actor of, and nearly no others; over ranges of more than a day, where
-- it tells the planner which entries of its indexes to look at: whole days know what actors were called. Parameter: actor.
($__unixEpochTo() - $__unixEpochFrom() <= 86400
         OR occurred_at < {{whole_from}} OR occurred_at >= {{whole_to}}
         OR actor_id = ANY (ARRAY(SELECT DISTINCT actor_id FROM {{called}} AS called WHERE actor_id <> ''))
         OR coalesce(actor_id, '') = ''
            AND occurred_at BETWEEN (SELECT min(first_at) FROM {{called}} AS called WHERE coalesce(actor_id, '') = '')
                                AND (SELECT max(last_at) FROM {{called}} AS called WHERE coalesce(actor_id, '') = ''))
