-- What the variable who says without its kind: an actor's id, or the name of one without id.
(SELECT substr(said, strpos(said, ':') + 1) FROM (SELECT {{text who}} AS said) AS variable)
