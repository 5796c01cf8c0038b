-- Events one by one, the newest 50 by their arrival, so that a late one is not missed; of the rest, how many there are.
-- An event that has gone out of the newest does not come back: what is newer stays longer.
-- Columns: event_id, at, more ('true' in the row of the rest), labels, value (1; of the rest, their number).
WITH matching AS MATERIALIZED (
    SELECT id, occurred_at, row_number() OVER (ORDER BY {{arrived}} DESC, id DESC) AS place,
           {{shown}}
    FROM (
        SELECT *
        FROM audit.events
        WHERE {{recent}}
            AND {{condition}}
        ORDER BY {{arrived}} DESC, id DESC
        LIMIT 10000
    ) AS newest
)
SELECT id::text AS event_id, {{at}} AS at, '' AS more,
       {{labels}}1::float8 AS value
FROM matching
WHERE place <= {{most}}
UNION ALL
SELECT '', '', 'true',
       {{blanks}}count(*)::float8
FROM matching
WHERE place > {{most}}
HAVING count(*) > 0
