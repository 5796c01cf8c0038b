-- What was acted on, e.g. "invoice 4711 (March)".
concat_ws(' ', nullif(target_type, ''), coalesce(nullif(target_name, ''), target_id))
