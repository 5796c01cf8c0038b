-- The palette slot of an action: the pinned one, else the first 16 bits of its SHA-256 modulo the palette.
-- Follows from the name alone, so the colour is the same in every panel and after every reload.
-- Argument: the text column that holds the action, '(none)' for none.
coalesce(('{{pinned}}'::jsonb ->> @)::int,
         (get_byte(sha256(convert_to(@, 'UTF8')), 0) * 256 + get_byte(sha256(convert_to(@, 'UTF8')), 1)) % {{slots}})
