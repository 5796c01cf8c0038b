-- The first (network) or the last (broadcast) address of what the variable address says; NULL where it is no address.
-- Argument: network or broadcast.
(SELECT set_masklen(@(given)::inet, CASE family(given) WHEN 4 THEN 32 ELSE 128 END)
 FROM (SELECT CASE WHEN pg_input_is_valid(typed, 'inet') THEN typed::inet
                   WHEN pg_input_is_valid(network, 'cidr') THEN network::cidr::inet END AS given
       FROM (
           -- Of an address that breaks off, what is there is the network.
           SELECT typed, CASE WHEN typed ~ '/' THEN typed ELSE typed || '/' || 8 * regexp_count(typed, '\d+') END AS network
           FROM (SELECT rtrim({{text address}}, '.') AS typed) AS variable
       ) AS completed) AS parsed)
