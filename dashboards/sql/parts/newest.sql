-- The newest 200 events of a kind in the time range. Over long ranges the counts tell in which five minutes or hours
-- they are, so that no others are read (OFFSET 0: for each span, however few events the planner expects). Parameters: the filters. Argument: the part that tells the kind by action and outcome.
(
    SELECT chosen.*
    FROM (
        SELECT moment
        FROM (
            SELECT date_bin({{step}}, moment, 'epoch'::timestamptz) AS moment, sum(events) AS events,
                   sum(sum(events)) OVER (ORDER BY date_bin({{step}}, moment, 'epoch'::timestamptz) DESC) AS up_to_here
            FROM {{counted 0}} AS counted
            WHERE {{@}}
            GROUP BY 1
        ) AS spans
        WHERE up_to_here - events < 200
    ) AS span,
    LATERAL (
        SELECT * FROM audit.events
        WHERE {{filters}} AND {{@}}
            AND occurred_at >= span.moment AND occurred_at < span.moment + {{step}}
        OFFSET 0
    ) AS chosen
    ORDER BY chosen.occurred_at DESC, chosen.id DESC
    LIMIT 200
)
