-- Where one event came from. Parameter: event_id.
-- Columns: latitude, longitude (degrees), slot (the action's colour), Place, Address, Network.
WITH event AS ({{event}}), named AS (SELECT *, coalesce(action, '(none)') AS type FROM event)
SELECT latitude, longitude, {{slot named.type}} AS slot,
       {{place}} AS "Place", coalesce(host(client_ip), client_address) AS "Address",
       concat_ws(' ', 'AS' || asn, as_org) AS "Network"
FROM named
WHERE latitude BETWEEN -90 AND 90 AND longitude BETWEEN -180 AND 180
