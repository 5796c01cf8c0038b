-- What finds a target again: type and id, e.g. "invoice 4711", or type and name where it has no id; else ''.
CASE WHEN coalesce(nullif(target_id, ''), nullif(target_name, '')) IS NULL THEN ''
     ELSE concat_ws(' ', nullif(target_type, ''), coalesce(nullif(target_id, ''), target_name)) END
