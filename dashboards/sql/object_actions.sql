-- What happened to one object in the time range, by action. Parameter: which.
-- Columns: slot (the action's colour), Action, Events, Failures, Last event.
{{actions touched}}
