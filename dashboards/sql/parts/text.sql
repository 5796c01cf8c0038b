-- What was typed into a text variable; NULL where that is nothing. Grafana percent-encodes it, so that no character
-- of it can end the string, start a macro or be escaped differently by some version; here it is decoded. convert_from
-- gives the collation of a name, by which no index of ours is sorted, and for which É is no capital letter.
-- Argument: the variable.
(SELECT convert_from(string_agg(CASE WHEN c[1] LIKE '\%__' THEN decode(substr(c[1], 2), 'hex') ELSE convert_to(c[1], 'UTF8') END,
                                ''::bytea ORDER BY n), 'UTF8') COLLATE "default"
 FROM regexp_matches(replace('${@:percentencode}', '%00', ''), '%[0-9A-Fa-f]{2}|.', 'g') WITH ORDINALITY AS t(c, n))
