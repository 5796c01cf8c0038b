-- The variable which, e.g. "id:7:invoice 4711", taken apart: the length of the type, and type and key with a space between.
(
    SELECT substring(said FROM '^[a-z]+:(\d{1,5}):')::int AS length, substring(said FROM '^[a-z]+:\d{1,5}:(.*)$') AS rest
    FROM (SELECT {{text which}} AS said) AS given
)
