-- What was there before, read as a whole: from the counts, or from all events of that time. Columns: old_<field>, since.
, past AS MATERIALIZED (
    SELECT {{old}}, min({{ended}}) AS since
    FROM {{source}}
    WHERE {{moment}} >= {{start}} AND {{moment}} < {{end}}
        AND {{condition}}
    GROUP BY {{places}}
)
