-- Summaries of whole days, made after their end: who did how much from where, and to what. For charts over months, which
-- would otherwise read every event. Runs as auditgraf_owner inside one transaction.

-- audit.events, which functions below read, is made with the first class, after the migrations.
SET LOCAL check_function_bodies = off;

-- Days that were summarised, and how many events they had then. Where more were counted since, the summary is no
-- longer read, until the next run makes it anew.
CREATE TABLE audit.summaries (
    id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    day date NOT NULL,
    retention_class text NOT NULL,
    events bigint NOT NULL,
    made_at timestamptz NOT NULL,
    UNIQUE (day, retention_class)
);

-- Whole days once more, by one question each: what people ask of months has to be answered from few rows.
CREATE TABLE audit.day_actors (
    summary int NOT NULL,
    day date NOT NULL,
    events int NOT NULL,
    failures int NOT NULL,
    first_at timestamptz NOT NULL,
    last_at timestamptz NOT NULL,
    latitude float8,
    longitude float8,
    actor_id text,
    actor_name text,
    actor_email text,
    actor_type text,
    country text,
    city text
);
CREATE INDEX day_actors_day ON audit.day_actors (day);

CREATE TABLE audit.day_targets (
    summary int NOT NULL,
    day date NOT NULL,
    events int NOT NULL,
    failures int NOT NULL,
    first_at timestamptz NOT NULL,
    last_at timestamptz NOT NULL,
    target_type text,
    target_id text,
    target_name text
);
CREATE INDEX day_targets_day ON audit.day_targets (day);

CREATE TABLE audit.day_addresses (
    summary int NOT NULL,
    day date NOT NULL,
    events int NOT NULL,
    failures int NOT NULL,
    first_at timestamptz NOT NULL,
    last_at timestamptz NOT NULL,
    client_ip inet NOT NULL,
    country text
);
CREATE INDEX day_addresses_day ON audit.day_addresses (day);

CREATE TABLE audit.day_places (
    summary int NOT NULL,
    day date NOT NULL,
    events int NOT NULL,
    failures int NOT NULL,
    first_at timestamptz NOT NULL,
    last_at timestamptz NOT NULL,
    latitude float8,
    longitude float8,
    country text,
    city text,
    action text
);
CREATE INDEX day_places_day ON audit.day_places (day);

-- Days whose events also lie outside of the class tables' partitions: no summary is made of them.
CREATE TABLE audit.unsummarised_days (
    day date PRIMARY KEY
);

-- Summaries of whole days: who did how much from where, and to what. Columns are called as those of audit.events.
CREATE TABLE audit.actor_days (
    summary int NOT NULL,
    day date NOT NULL,
    kind int NOT NULL,
    events int NOT NULL,
    first_at timestamptz NOT NULL,
    last_at timestamptz NOT NULL,
    latitude float8,
    longitude float8,
    client_ip inet,
    actor_id text,
    actor_name text,
    actor_email text,
    actor_type text,
    on_behalf_of text,
    city text
);
CREATE INDEX actor_days_day ON audit.actor_days (day);

CREATE TABLE audit.target_days (
    summary int NOT NULL,
    day date NOT NULL,
    kind int NOT NULL,
    events int NOT NULL,
    first_at timestamptz NOT NULL,
    last_at timestamptz NOT NULL,
    target_type text,
    target_id text,
    target_name text,
    actor_id text,
    actor_name text,
    actor_email text,
    on_behalf_of text
);
CREATE INDEX target_days_day ON audit.target_days (day);

-- Summaries that agree with what was ever counted for their day. Nearly all do: CASE tells the planner so. Grouped as a
-- whole, so that it is found out once, and not for every row of a summary.
CREATE VIEW audit.valid_summaries AS
SELECT s.id, s.day, s.retention_class
FROM audit.summaries AS s LEFT JOIN audit.day_counts AS c USING (day, retention_class)
GROUP BY s.id
HAVING CASE WHEN s.events = coalesce(sum(c.events), 0) THEN true ELSE false END;

-- The parts of a time range that no summary covers, and the classes that one does cover in each.
CREATE FUNCTION audit.unsummarised(since timestamptz, until timestamptz)
RETURNS TABLE (starts_at timestamptz, ends_at timestamptz, summarised text[])
LANGUAGE sql STABLE PARALLEL SAFE SECURITY DEFINER ROWS 1 SET search_path = pg_catalog, pg_temp SET timezone = 'UTC'
AS $$
    WITH days AS MATERIALIZED (
        SELECT day::date AS day, day::timestamptz >= since AND (day + interval '1 day')::timestamptz <= until AS whole
        FROM generate_series(date_trunc('day', since), until, interval '1 day') AS day
    ), valid AS MATERIALIZED (
        SELECT v.day, array_agg(v.retention_class) AS classes
        FROM audit.valid_summaries AS v
        WHERE v.day BETWEEN (SELECT min(day) FROM days) AND (SELECT max(day) FROM days)
        GROUP BY v.day
    ), there AS MATERIALIZED (
        SELECT e.day, array_agg(e.retention_class) AS classes FROM audit.event_days AS e GROUP BY e.day
    )
    SELECT greatest(since, day::timestamptz),
           least(until, (day + 1)::timestamptz - interval '1 microsecond'),
           CASE WHEN whole THEN coalesce(valid.classes, '{}') ELSE '{}' END
    FROM days LEFT JOIN valid USING (day) LEFT JOIN there USING (day)
    WHERE NOT (whole AND valid.classes IS NOT NULL AND valid.classes @> coalesce(there.classes, '{}'))
$$;

-- Summaries of whole days with their kinds spelt out.
CREATE VIEW audit.summarised_actors AS
SELECT a.day, k.retention_class, k.service, k.environment, k.tenant, k.action, k.outcome, k.severity, k.country, a.city,
       a.latitude, a.longitude, a.client_ip, a.actor_id, a.actor_name, a.actor_email, a.actor_type, a.on_behalf_of,
       a.events::bigint AS events, a.first_at, a.last_at
FROM audit.actor_days AS a
JOIN audit.kinds AS k ON k.id = a.kind
JOIN audit.valid_summaries AS v ON v.id = a.summary;

CREATE VIEW audit.summarised_targets AS
SELECT t.day, k.retention_class, k.service, k.environment, k.tenant, k.action, k.outcome, k.severity, k.country,
       t.target_type, t.target_id, t.target_name, t.actor_id, t.actor_name, t.actor_email, t.on_behalf_of,
       t.events::bigint AS events, t.first_at, t.last_at
FROM audit.target_days AS t
JOIN audit.kinds AS k ON k.id = t.kind
JOIN audit.valid_summaries AS v ON v.id = t.summary;

-- The first and the last UTC day (exclusive) of those that lie in a range as a whole.
CREATE FUNCTION audit.first_whole_day(since timestamptz) RETURNS date
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN (since AT TIME ZONE 'UTC' + interval '1 day' - interval '1 microsecond')::date;

CREATE FUNCTION audit.last_whole_day(until timestamptz) RETURNS date
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN (until AT TIME ZONE 'UTC')::date;

-- Who did how much from where between two moments, both included: whole days from their summaries, the rest from
-- audit.events, a row for each. To be summed up by whoever asks; the planner sees through it, so a filter costs what it
-- would cost on a table.
CREATE FUNCTION audit.volume_actors(since timestamptz, until timestamptz) RETURNS TABLE (
    retention_class text, service text, environment text, tenant text, action text, outcome text, severity smallint,
    country text, city text, latitude float8, longitude float8, client_ip inet, actor_id text, actor_name text,
    actor_email text, actor_type text, on_behalf_of text, events bigint, first_at timestamptz, last_at timestamptz
)
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT s.retention_class, s.service, s.environment, s.tenant, s.action, s.outcome, s.severity, s.country, s.city,
           s.latitude, s.longitude, s.client_ip, s.actor_id, s.actor_name, s.actor_email, s.actor_type, s.on_behalf_of,
           s.events, s.first_at, s.last_at
    FROM audit.summarised_actors AS s
    WHERE s.day >= audit.first_whole_day(since) AND s.day < audit.last_whole_day(until)
    UNION ALL
    SELECT e.retention_class, e.service, e.environment, e.tenant, e.action, e.outcome, e.severity, e.country, e.city,
           e.latitude, e.longitude, e.client_ip, e.actor_id, e.actor_name, e.actor_email, e.actor_type, e.on_behalf_of,
           1::bigint, e.occurred_at, e.occurred_at
    FROM audit.unsummarised(since, until) AS u
    JOIN audit.events AS e ON e.occurred_at BETWEEN u.starts_at AND u.ends_at AND e.retention_class <> ALL (u.summarised)
    WHERE e.occurred_at BETWEEN since AND until
$$;

-- As audit.volume_actors: how much was done to which target, and by whom.
CREATE FUNCTION audit.volume_targets(since timestamptz, until timestamptz) RETURNS TABLE (
    retention_class text, service text, environment text, tenant text, action text, outcome text, severity smallint,
    country text, target_type text, target_id text, target_name text, actor_id text, actor_name text, actor_email text,
    on_behalf_of text, events bigint, first_at timestamptz, last_at timestamptz
)
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT s.retention_class, s.service, s.environment, s.tenant, s.action, s.outcome, s.severity, s.country,
           s.target_type, s.target_id, s.target_name, s.actor_id, s.actor_name, s.actor_email, s.on_behalf_of,
           s.events, s.first_at, s.last_at
    FROM audit.summarised_targets AS s
    WHERE s.day >= audit.first_whole_day(since) AND s.day < audit.last_whole_day(until)
    UNION ALL
    SELECT e.retention_class, e.service, e.environment, e.tenant, e.action, e.outcome, e.severity, e.country,
           e.target_type, e.target_id, e.target_name, e.actor_id, e.actor_name, e.actor_email, e.on_behalf_of,
           1::bigint, e.occurred_at, e.occurred_at
    FROM audit.unsummarised(since, until) AS u
    JOIN audit.events AS e ON e.occurred_at BETWEEN u.starts_at AND u.ends_at AND e.retention_class <> ALL (u.summarised)
    WHERE e.occurred_at BETWEEN since AND until
        AND coalesce(e.target_id, e.target_name) IS NOT NULL
$$;

-- Who did how much from which place, between two moments, both included; without regard to what it was.
CREATE VIEW audit.summarised_actor_totals AS
SELECT s.day, v.retention_class, s.actor_id, s.actor_name, s.actor_email, s.actor_type, s.country, s.city, s.latitude,
       s.longitude, s.events::bigint AS events, s.failures::bigint AS failures,
       s.first_at, s.last_at
FROM audit.day_actors AS s JOIN audit.valid_summaries AS v ON v.id = s.summary;

CREATE FUNCTION audit.actor_totals(since timestamptz, until timestamptz) RETURNS TABLE (
    retention_class text, actor_id text, actor_name text, actor_email text, actor_type text, country text, city text,
    latitude float8, longitude float8,
    events bigint, failures bigint, first_at timestamptz, last_at timestamptz
)
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT s.retention_class, s.actor_id, s.actor_name, s.actor_email, s.actor_type, s.country, s.city, s.latitude,
           s.longitude, s.events, s.failures, s.first_at, s.last_at
    FROM audit.summarised_actor_totals AS s
    WHERE s.day >= audit.first_whole_day(since) AND s.day < audit.last_whole_day(until)
    UNION ALL
    SELECT e.retention_class, e.actor_id, e.actor_name, e.actor_email, e.actor_type, e.country, e.city, e.latitude,
           e.longitude, 1::bigint, (e.outcome = 'failure')::int::bigint, e.occurred_at, e.occurred_at
    FROM audit.unsummarised(since, until) AS u
    JOIN audit.events AS e ON e.occurred_at BETWEEN u.starts_at AND u.ends_at AND e.retention_class <> ALL (u.summarised)
    WHERE e.occurred_at BETWEEN since AND until
$$;

-- How much was done to which target.
CREATE VIEW audit.summarised_target_totals AS
SELECT s.day, v.retention_class, s.target_type, s.target_id, s.target_name, s.events::bigint AS events,
       s.failures::bigint AS failures,
       s.first_at, s.last_at
FROM audit.day_targets AS s JOIN audit.valid_summaries AS v ON v.id = s.summary;

CREATE FUNCTION audit.target_totals(since timestamptz, until timestamptz) RETURNS TABLE (
    retention_class text, target_type text, target_id text, target_name text,
    events bigint, failures bigint, first_at timestamptz, last_at timestamptz
)
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT s.retention_class, s.target_type, s.target_id, s.target_name, s.events, s.failures, s.first_at, s.last_at
    FROM audit.summarised_target_totals AS s
    WHERE s.day >= audit.first_whole_day(since) AND s.day < audit.last_whole_day(until)
    UNION ALL
    SELECT e.retention_class, e.target_type, e.target_id, e.target_name, 1::bigint,
           (e.outcome = 'failure')::int::bigint, e.occurred_at, e.occurred_at
    FROM audit.unsummarised(since, until) AS u
    JOIN audit.events AS e ON e.occurred_at BETWEEN u.starts_at AND u.ends_at AND e.retention_class <> ALL (u.summarised)
    WHERE e.occurred_at BETWEEN since AND until
        AND coalesce(e.target_id, e.target_name) IS NOT NULL
$$;

-- How much came from which address.
CREATE VIEW audit.summarised_address_totals AS
SELECT s.day, v.retention_class, s.client_ip, s.country, s.events::bigint AS events, s.failures::bigint AS failures,
       s.first_at, s.last_at
FROM audit.day_addresses AS s JOIN audit.valid_summaries AS v ON v.id = s.summary;

CREATE FUNCTION audit.address_totals(since timestamptz, until timestamptz) RETURNS TABLE (
    retention_class text, client_ip inet, country text,
    events bigint, failures bigint, first_at timestamptz, last_at timestamptz
)
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT s.retention_class, s.client_ip, s.country, s.events, s.failures, s.first_at, s.last_at
    FROM audit.summarised_address_totals AS s
    WHERE s.day >= audit.first_whole_day(since) AND s.day < audit.last_whole_day(until)
    UNION ALL
    SELECT e.retention_class, e.client_ip, e.country, 1::bigint, (e.outcome = 'failure')::int::bigint, e.occurred_at,
           e.occurred_at
    FROM audit.unsummarised(since, until) AS u
    JOIN audit.events AS e ON e.occurred_at BETWEEN u.starts_at AND u.ends_at AND e.retention_class <> ALL (u.summarised)
    WHERE e.occurred_at BETWEEN since AND until
        AND e.client_ip IS NOT NULL
$$;

-- How much of which action came from which place, those without one too.
CREATE VIEW audit.summarised_place_totals AS
SELECT s.day, v.retention_class, s.country, s.city, s.latitude, s.longitude, s.action, s.events::bigint AS events,
       s.failures::bigint AS failures,
       s.first_at, s.last_at
FROM audit.day_places AS s JOIN audit.valid_summaries AS v ON v.id = s.summary;

CREATE FUNCTION audit.place_totals(since timestamptz, until timestamptz) RETURNS TABLE (
    retention_class text, country text, city text, latitude float8, longitude float8, action text,
    events bigint, failures bigint, first_at timestamptz, last_at timestamptz
)
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT s.retention_class, s.country, s.city, s.latitude, s.longitude, s.action, s.events, s.failures, s.first_at,
           s.last_at
    FROM audit.summarised_place_totals AS s
    WHERE s.day >= audit.first_whole_day(since) AND s.day < audit.last_whole_day(until)
    UNION ALL
    SELECT e.retention_class, e.country, e.city, e.latitude, e.longitude, e.action, 1::bigint,
           (e.outcome = 'failure')::int::bigint, e.occurred_at, e.occurred_at
    FROM audit.unsummarised(since, until) AS u
    JOIN audit.events AS e ON e.occurred_at BETWEEN u.starts_at AND u.ends_at AND e.retention_class <> ALL (u.summarised)
    WHERE e.occurred_at BETWEEN since AND until
$$;

-- Removes the summaries of a class's day; it is read from audit.events until it is summarised again.
CREATE FUNCTION audit.remove_summaries(class_name text, of_day date) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    removed int;
    place text;
BEGIN
    DELETE FROM audit.summaries WHERE day = of_day AND retention_class = class_name RETURNING id INTO removed;
    IF removed IS NOT NULL THEN
        FOREACH place IN ARRAY ARRAY['actor_days', 'target_days', 'day_actors', 'day_targets', 'day_addresses',
            'day_places'] LOOP
            EXECUTE format('DELETE FROM audit.%I WHERE day = $1 AND summary = $2', place) USING of_day, removed;
        END LOOP;
    END IF;
END
$$;

-- Summarises one day of one class from one snapshot of its events, in place of the summary that was there.
CREATE FUNCTION audit.summarise(class_name text, of_day date) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET work_mem = '64MB'
AS $$
DECLARE
    summarised bigint;
    place text := format('audit.%I WHERE occurred_at >= %L AND occurred_at < %L',
                         'events_' || class_name, of_day::timestamptz, (of_day + 1)::timestamptz);
    -- What a kind is, as one value that can be hashed, nulls included.
    kind_of text := 'ARRAY[service, environment, tenant, action, outcome, severity::text, country]';
BEGIN
    PERFORM audit.remove_summaries(class_name, of_day);
    EXECUTE format($sql$
        WITH actors AS MATERIALIZED (
            SELECT %1$s AS kind_of, latitude, longitude, client_ip, actor_id, actor_name, actor_email, actor_type,
                   on_behalf_of, city, count(*) AS events, min(occurred_at) AS first_at, max(occurred_at) AS last_at
            FROM %2$s GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10
        ), targets AS MATERIALIZED (
            SELECT %1$s AS kind_of, target_type, target_id, target_name, actor_id, actor_name, actor_email, on_behalf_of,
                   count(*) AS events, min(occurred_at) AS first_at, max(occurred_at) AS last_at
            FROM %2$s AND coalesce(target_id, target_name) IS NOT NULL GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
        ), numbered AS MATERIALIZED (
            SELECT kind_of, row_number() OVER () AS place FROM (SELECT DISTINCT kind_of FROM actors) AS each
        ), known AS MATERIALIZED (
            SELECT audit.kind_ids(jsonb_agg(jsonb_build_array(%3$L, kind_of[1], kind_of[2], kind_of[3], kind_of[4],
                       kind_of[5], kind_of[6]::int, kind_of[7]) ORDER BY place)) AS ids
            FROM numbered
        ), kinds AS MATERIALIZED (
            SELECT kind_of, ids[place] AS kind FROM numbered, known
        ), made AS (
            INSERT INTO audit.summaries (day, retention_class, events, made_at)
            SELECT %4$L, %3$L, coalesce(sum(events), 0), now() FROM actors
            RETURNING id, events
        ), by_actor AS (
            INSERT INTO audit.actor_days (summary, day, kind, events, first_at, last_at, latitude, longitude, client_ip,
                                          actor_id, actor_name, actor_email, actor_type, on_behalf_of, city)
            SELECT made.id, %4$L, kind, actors.events, first_at, last_at, latitude, longitude, client_ip, actor_id,
                   actor_name, actor_email, actor_type, on_behalf_of, city
            FROM made, actors JOIN kinds USING (kind_of)
        ), by_target AS (
            INSERT INTO audit.target_days (summary, day, kind, events, first_at, last_at, target_type, target_id,
                                           target_name, actor_id, actor_name, actor_email, on_behalf_of)
            SELECT made.id, %4$L, kind, targets.events, first_at, last_at, target_type, target_id, target_name, actor_id,
                   actor_name, actor_email, on_behalf_of
            FROM made, targets JOIN kinds USING (kind_of)
        ), day_actors AS (
            INSERT INTO audit.day_actors (summary, day, events, failures, first_at, last_at, latitude, longitude, actor_id,
                                          actor_name, actor_email, actor_type, country, city)
            SELECT made.id, %4$L, sum(actors.events), coalesce(sum(actors.events) FILTER (WHERE kind_of[5] = 'failure'), 0),
                   min(first_at), max(last_at), latitude, longitude, actor_id, actor_name, actor_email, actor_type,
                       kind_of[7], city
            FROM made, actors GROUP BY made.id, latitude, longitude, actor_id, actor_name, actor_email, actor_type,
                kind_of[7], city
        ), day_targets AS (
            INSERT INTO audit.day_targets (summary, day, events, failures, first_at, last_at, target_type, target_id,
                target_name)
            SELECT made.id, %4$L, sum(targets.events),
                   coalesce(sum(targets.events) FILTER (WHERE kind_of[5] = 'failure'), 0),
                   min(first_at), max(last_at), target_type, target_id, target_name
            FROM made, targets GROUP BY made.id, target_type, target_id, target_name
        ), day_addresses AS (
            INSERT INTO audit.day_addresses (summary, day, events, failures, first_at, last_at, client_ip, country)
            SELECT made.id, %4$L, sum(actors.events), coalesce(sum(actors.events) FILTER (WHERE kind_of[5] = 'failure'), 0),
                   min(first_at), max(last_at), client_ip, kind_of[7]
            FROM made, actors WHERE client_ip IS NOT NULL GROUP BY made.id, client_ip, kind_of[7]
        ), day_places AS (
            INSERT INTO audit.day_places (summary, day, events, failures, first_at, last_at, latitude, longitude,
                country, city, action)
            SELECT made.id, %4$L, sum(actors.events), coalesce(sum(actors.events) FILTER (WHERE kind_of[5] = 'failure'), 0),
                   min(first_at), max(last_at), latitude, longitude, kind_of[7], city, kind_of[4]
            FROM made, actors GROUP BY made.id, latitude, longitude, kind_of[7], city, kind_of[4]
        )
        SELECT events FROM made
    $sql$, kind_of, place, class_name, of_day) INTO summarised;
    RETURN summarised;
END
$$;

-- The next step of keeping summaries: makes the one that is wanted most, or removes one of a day that is gone. Answers
-- what it did, NULL where nothing is left to do or another session is at it. A day is summarised a quarter of an hour
-- after its end; again, after late events, at most every ten minutes.
CREATE FUNCTION audit.summarise_next() RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET timezone = 'UTC'
AS $$
DECLARE
    of_day date;
    class_name text;
BEGIN
    IF NOT pg_try_advisory_xact_lock(hashtextextended('audit.summarise_next', 0)) THEN
        RETURN NULL;
    END IF;
    SELECT s.day, s.retention_class INTO of_day, class_name FROM audit.summaries AS s
    WHERE NOT EXISTS (SELECT FROM audit.event_days AS e WHERE e.day = s.day AND e.retention_class = s.retention_class)
    LIMIT 1;
    IF FOUND THEN
        PERFORM audit.remove_summaries(class_name, of_day);
        RETURN format('removed %s of class %s', of_day, class_name);
    END IF;
    SELECT e.day, e.retention_class INTO of_day, class_name
    FROM audit.event_days AS e LEFT JOIN audit.summaries AS s USING (day, retention_class)
    WHERE (e.day + 1)::timestamptz < now() - interval '15 minutes'
        AND (s.id IS NULL OR s.made_at < now() - interval '10 minutes')
        AND NOT EXISTS (SELECT FROM audit.valid_summaries AS v WHERE v.id = s.id)
        AND NOT EXISTS (SELECT FROM audit.unsummarised_days AS u WHERE u.day = e.day)
    ORDER BY e.day DESC
    LIMIT 1;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    RETURN format('summarised %s of class %s: %s events', of_day, class_name, audit.summarise(class_name, of_day));
END
$$;

-- After events of a day were changed in place: its summaries go, and are made anew.
CREATE FUNCTION audit.forget_summaries(class_name text, days date[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    of_day date;
BEGIN
    FOREACH of_day IN ARRAY days LOOP
        PERFORM audit.remove_summaries(class_name, of_day);
    END LOOP;
END
$$;

-- Has days read from audit.events from now on, for all classes: some of their events are in no class's partition.
CREATE FUNCTION audit.leave_unsummarised(days date[]) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    INSERT INTO audit.unsummarised_days SELECT unnest(days) ON CONFLICT DO NOTHING;
    SELECT audit.remove_summaries(s.retention_class, s.day) FROM audit.summaries AS s WHERE s.day = ANY (days);
END;

REVOKE ALL ON FUNCTION audit.summarise(text, date), audit.summarise_next(), audit.remove_summaries(text, date),
    audit.forget_summaries(text, date[]), audit.leave_unsummarised(date[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION audit.summarise_next() TO auditgraf_writer;
GRANT SELECT ON audit.summarised_actors, audit.summarised_targets, audit.summarised_actor_totals,
    audit.summarised_target_totals, audit.summarised_address_totals, audit.summarised_place_totals TO auditgraf_reader;
