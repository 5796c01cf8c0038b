-- The id, or the name, of the object that the variable which says.
(SELECT substr(rest, length + 2) FROM {{which}} AS variable)
