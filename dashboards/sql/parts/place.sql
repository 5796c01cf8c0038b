-- City and country, as far as they are known.
concat_ws(', ', nullif(city, ''), nullif(country, ''))
