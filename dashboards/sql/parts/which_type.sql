-- The type of the object that the variable which says (kind:length of the type:type and key); '' for none.
(SELECT left(rest, length) FROM {{which}} AS variable)
