-- Events over time by action, for the events dashboard. Parameters: all filters.
-- Columns: time (epoch), action and slot (labels of the series), Value.
{{by_type counted more_}}
