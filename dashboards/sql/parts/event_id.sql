-- The event id of the variable as uuid; NULL for anything else, so that a bad link shows nothing instead of an error.
substring('${event_id:percentencode}' FROM '^[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$')::uuid
