-- What the typed texts let through. Parameters: actor (exact id, or part of name or email), q (part of any text of the
-- event; looked for in the newest events only, see searched.sql). Where q has no letter but A to Z, none but those need be
-- made small, which takes half the time; which it is, is a constant.
('${actor:percentencode}' = ''
         OR ({{text actor}} IN (actor_id, on_behalf_of)
             OR strpos(lower(concat_ws(' ', actor_name, actor_email)), lower({{text actor}})) > 0) AND {{near_actor}})
    AND ('${q:percentencode}' = ''
         OR occurred_at >= {{searched}}
            AND CASE WHEN '${q:percentencode}' ~ '%[89A-Fa-f]'
                     THEN strpos(lower({{said}}), lower({{text q}})) > 0
                     ELSE strpos(lower({{said}} COLLATE "C"), lower({{text q}} COLLATE "C")) > 0 END)
