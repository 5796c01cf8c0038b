-- As long.sql, for the variables of more_texts.sql.
({{long}} AND '${object:percentencode}' = '' AND '${address:percentencode}' = '')
