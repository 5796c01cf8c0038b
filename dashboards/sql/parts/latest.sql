-- An aggregate: the newest value that says something. Argument: a text column beside occurred_at.
(array_agg(@ ORDER BY occurred_at DESC) FILTER (WHERE @ <> ''))[1]
