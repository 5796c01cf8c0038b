-- As texts.sql. Parameters: also object (id, type and id, or part of type and name), address (an address, a network, the
-- beginning of an IPv4 one, or part of what was sent as address and is none). What looks like an address is decided by a
-- constant, so that the planner sees a plain range of client_ip, which has an index.
{{texts}}
    AND ('${object:percentencode}' = '' OR {{text object}} IN (target_id, {{target_key}})
         OR strpos(lower(concat_ws(' ', target_type, target_name)), lower({{text object}})) > 0)
    AND ('${address:percentencode}' = ''
         OR CASE WHEN '${address:percentencode}' ~ '^([0-9.]|%2F)+$|^[0-9A-Fa-f]*%3A([0-9A-Fa-f.]|%3A|%2F)*$'
                 THEN client_ip BETWEEN {{address_bound network}} AND {{address_bound broadcast}}
                 ELSE strpos(lower(client_address), lower({{text address}})) > 0 END)
