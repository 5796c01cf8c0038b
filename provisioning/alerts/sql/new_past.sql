-- What was there before, read as a whole: from the counts, or from all events of that time. Columns: old_<field>.
, past AS MATERIALIZED (
    SELECT DISTINCT {{old}}
    FROM {{source}}
    WHERE {{moment}} >= {{start}} AND {{moment}} < {{end}}
        AND {{condition}}
)
