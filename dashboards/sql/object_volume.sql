-- What happened to one object over time by action. Parameter: which.
-- Columns: time (epoch), action and slot (labels of the series), Value.
{{by_type touched}}
