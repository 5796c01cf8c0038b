-- Holds in force: what retention must not remove. No parameters.
-- Columns: Hold, Since, By, Reason, Events that match, Events.
SELECT id AS "Hold", created_at AS "Since", created_by AS "By", reason AS "Reason", filter AS "Filter", events AS "Events"
FROM audit.active_holds
ORDER BY 2 DESC, 1
LIMIT 200
