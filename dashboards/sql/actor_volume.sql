-- What one actor did over time by action. Parameter: who.
-- Columns: time (epoch), action and slot (labels of the series), Value.
{{by_type acted}}
