-- Events over time by action: the 20 most frequent ones of the range, and the rest as "other".
-- Parameters: the filters. Columns: time (epoch), action and slot (labels of the series), Value.
{{by_type counted}}
