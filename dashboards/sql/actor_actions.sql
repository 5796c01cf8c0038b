-- What one actor did in the time range, by action. Parameter: who.
-- Columns: slot (the action's colour), Action, Events, Failures, Last event.
{{actions acted}}
