-- Charts over months from fewer rows: summaries of weeks and of four weeks, the objects that a day was busy with, and the
-- rows of a day by kind. Runs as auditgraf_owner inside one transaction. Days that were summarised before are summarised
-- once more by the collector, step by step; until then they are read as before.

-- audit.events, which functions below read, is made with the first class, after the migrations.
SET LOCAL check_function_bodies = off;

-- A week begins on a Monday, and four of them where their number since 1900-01-01 can be divided by four.
ALTER TABLE audit.summaries
    ADD days int NOT NULL DEFAULT 1,       -- 1, 7 or 28
    ADD made_of int[],                     -- longer ones: the summaries of their days, by id
    -- Days: the most events of an object that is not in day_objects; 0 where all are, NULL where nobody looked.
    ADD unlisted int,
    DROP CONSTRAINT summaries_day_retention_class_key,
    ADD UNIQUE (day, retention_class, days);

-- The thousand objects of a day with the most events: all that can be among the first of a longer time, nearly always.
CREATE TABLE audit.day_objects (
    summary int NOT NULL,
    events int NOT NULL,
    target_type text,
    target_key text NOT NULL               -- the id, else the name
);
CREATE INDEX day_objects_summary ON audit.day_objects (summary);

-- What actors were called on a day, to find who is meant by a part of a name.
CREATE TABLE audit.day_names (
    summary int NOT NULL,
    day date NOT NULL,
    events int NOT NULL,
    first_at timestamptz NOT NULL,
    last_at timestamptz NOT NULL,
    actor_id text,
    actor_name text,
    actor_email text,
    on_behalf_of text
);
CREATE INDEX day_names_summary ON audit.day_names (summary);

-- Weeks' rows are with those of the days, under a summary of their own.
CREATE INDEX day_actors_summary ON audit.day_actors (summary);
CREATE INDEX day_addresses_summary ON audit.day_addresses (summary);
CREATE INDEX day_places_summary ON audit.day_places (summary);
DROP INDEX audit.day_actors_day, audit.day_addresses_day, audit.day_places_day;

-- One object's days. Of a hash: an id or a name may be longer than an index entry.
CREATE INDEX day_targets_key ON audit.day_targets (hashtextextended(coalesce(nullif(target_id, ''), target_name), 0));

-- Who did one thing, which nearly all that one asks of these tables is about: a kind's rows of a day lie together.
CREATE INDEX actor_days_kind ON audit.actor_days (kind, day);
CREATE INDEX target_days_kind ON audit.target_days (kind, day);

-- As in 0005, of days alone.
CREATE OR REPLACE VIEW audit.valid_summaries AS
SELECT s.id, s.day, s.retention_class
FROM audit.summaries AS s LEFT JOIN audit.day_counts AS c USING (day, retention_class)
WHERE s.days = 1
GROUP BY s.id
HAVING CASE WHEN s.events = coalesce(sum(c.events), 0) THEN true ELSE false END;

-- What to read for the whole days between two moments: the longest summaries there are, each day in one of them. A week is
-- read as long as all that it was made of is.
CREATE FUNCTION audit.covering(since timestamptz, until timestamptz) RETURNS TABLE (summary int, retention_class text)
LANGUAGE sql STABLE PARALLEL SAFE SECURITY DEFINER ROWS 15 SET search_path = pg_catalog, pg_temp SET timezone = 'UTC'
AS $$
    WITH valid AS MATERIALIZED (
        SELECT v.id, v.day, v.retention_class
        FROM audit.valid_summaries AS v
        WHERE v.day >= audit.first_whole_day(since) AND v.day < audit.last_whole_day(until)
    ), longer AS MATERIALIZED (
        SELECT s.id, s.retention_class, s.days, s.made_of, daterange(s.day, s.day + s.days) AS span
        FROM audit.summaries AS s
        JOIN valid AS v ON v.retention_class = s.retention_class AND v.day >= s.day AND v.day < s.day + s.days
        WHERE s.days > 1
        GROUP BY s.id
        HAVING array_agg(v.id ORDER BY v.id) = s.made_of
    ), longest AS MATERIALIZED (
        SELECT * FROM longer AS given
        WHERE NOT EXISTS (SELECT FROM longer AS other WHERE other.retention_class = given.retention_class
                          AND other.days > given.days AND other.span @> given.span)
    )
    SELECT id, retention_class FROM longest
    UNION ALL
    SELECT v.id, v.retention_class FROM valid AS v
    WHERE NOT EXISTS (SELECT FROM longest AS l WHERE l.retention_class = v.retention_class AND l.span @> v.day)
$$;

-- The rows of summaries by their numbers. Which of them are to be read, audit.covering says.
CREATE VIEW audit.actor_summaries AS
SELECT summary, actor_id, actor_name, actor_email, actor_type, country, city, latitude, longitude,
       events::bigint AS events, failures::bigint AS failures, first_at, last_at
FROM audit.day_actors;

CREATE VIEW audit.name_summaries AS
SELECT summary, actor_id, actor_name, actor_email, on_behalf_of, events::bigint AS events, first_at, last_at
FROM audit.day_names;

CREATE VIEW audit.address_summaries AS
SELECT summary, client_ip, country, events::bigint AS events, failures::bigint AS failures, first_at, last_at
FROM audit.day_addresses;

CREATE VIEW audit.place_summaries AS
SELECT summary, country, city, latitude, longitude, action, events::bigint AS events, failures::bigint AS failures,
       first_at, last_at
FROM audit.day_places;

CREATE VIEW audit.target_summaries AS
SELECT summary, target_type, target_id, target_name, events::bigint AS events, failures::bigint AS failures, first_at,
       last_at
FROM audit.day_targets;

CREATE VIEW audit.object_summaries AS
SELECT v.id AS summary, v.day, v.retention_class, s.unlisted
FROM audit.valid_summaries AS v JOIN audit.summaries AS s USING (id);

CREATE VIEW audit.listed_objects AS
SELECT summary, target_type, target_key, events::bigint AS events FROM audit.day_objects;

-- As in 0005, from the longest summaries. OFFSET 0: one look into the index for each, since the others' rows are many.
CREATE OR REPLACE FUNCTION audit.actor_totals(since timestamptz, until timestamptz) RETURNS TABLE (
    retention_class text, actor_id text, actor_name text, actor_email text, actor_type text, country text, city text,
    latitude float8, longitude float8,
    events bigint, failures bigint, first_at timestamptz, last_at timestamptz
)
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT c.retention_class, s.actor_id, s.actor_name, s.actor_email, s.actor_type, s.country, s.city, s.latitude,
           s.longitude, s.events, s.failures, s.first_at, s.last_at
    FROM audit.covering(since, until) AS c
    CROSS JOIN LATERAL (SELECT * FROM audit.actor_summaries AS given WHERE given.summary = c.summary OFFSET 0) AS s
    UNION ALL
    SELECT e.retention_class, e.actor_id, e.actor_name, e.actor_email, e.actor_type, e.country, e.city, e.latitude,
           e.longitude, 1::bigint, (e.outcome = 'failure')::int::bigint, e.occurred_at, e.occurred_at
    FROM audit.unsummarised(since, until) AS u
    JOIN audit.events AS e ON e.occurred_at BETWEEN u.starts_at AND u.ends_at AND e.retention_class <> ALL (u.summarised)
    WHERE e.occurred_at BETWEEN since AND until
$$;

CREATE OR REPLACE FUNCTION audit.address_totals(since timestamptz, until timestamptz) RETURNS TABLE (
    retention_class text, client_ip inet, country text,
    events bigint, failures bigint, first_at timestamptz, last_at timestamptz
)
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT c.retention_class, s.client_ip, s.country, s.events, s.failures, s.first_at, s.last_at
    FROM audit.covering(since, until) AS c
    CROSS JOIN LATERAL (SELECT * FROM audit.address_summaries AS given WHERE given.summary = c.summary OFFSET 0) AS s
    UNION ALL
    SELECT e.retention_class, e.client_ip, e.country, 1::bigint, (e.outcome = 'failure')::int::bigint, e.occurred_at,
           e.occurred_at
    FROM audit.unsummarised(since, until) AS u
    JOIN audit.events AS e ON e.occurred_at BETWEEN u.starts_at AND u.ends_at AND e.retention_class <> ALL (u.summarised)
    WHERE e.occurred_at BETWEEN since AND until
        AND e.client_ip IS NOT NULL
$$;

CREATE OR REPLACE FUNCTION audit.place_totals(since timestamptz, until timestamptz) RETURNS TABLE (
    retention_class text, country text, city text, latitude float8, longitude float8, action text,
    events bigint, failures bigint, first_at timestamptz, last_at timestamptz
)
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT c.retention_class, s.country, s.city, s.latitude, s.longitude, s.action, s.events, s.failures, s.first_at,
           s.last_at
    FROM audit.covering(since, until) AS c
    CROSS JOIN LATERAL (SELECT * FROM audit.place_summaries AS given WHERE given.summary = c.summary OFFSET 0) AS s
    UNION ALL
    SELECT e.retention_class, e.country, e.city, e.latitude, e.longitude, e.action, 1::bigint,
           (e.outcome = 'failure')::int::bigint, e.occurred_at, e.occurred_at
    FROM audit.unsummarised(since, until) AS u
    JOIN audit.events AS e ON e.occurred_at BETWEEN u.starts_at AND u.ends_at AND e.retention_class <> ALL (u.summarised)
    WHERE e.occurred_at BETWEEN since AND until
$$;

-- What the actors were called of whom something happened between two moments, both included.
CREATE FUNCTION audit.actor_names(since timestamptz, until timestamptz) RETURNS TABLE (
    retention_class text, actor_id text, actor_name text, actor_email text, on_behalf_of text,
    events bigint, first_at timestamptz, last_at timestamptz
)
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT c.retention_class, s.actor_id, s.actor_name, s.actor_email, s.on_behalf_of, s.events, s.first_at, s.last_at
    FROM audit.covering(since, until) AS c
    CROSS JOIN LATERAL (SELECT * FROM audit.name_summaries AS given WHERE given.summary = c.summary OFFSET 0) AS s
    UNION ALL
    SELECT e.retention_class, e.actor_id, e.actor_name, e.actor_email, e.on_behalf_of, 1::bigint, e.occurred_at,
           e.occurred_at
    FROM audit.unsummarised(since, until) AS u
    JOIN audit.events AS e ON e.occurred_at BETWEEN u.starts_at AND u.ends_at AND e.retention_class <> ALL (u.summarised)
    WHERE e.occurred_at BETWEEN since AND until
$$;

-- The part of audit.target_totals that has all objects (an object: a type, and an id or else a name) which can be among
-- the `wanted` ones with the most events; log records left out. Whole days: objects that are listed are known exactly,
-- of the others it is known that a day has no more events of each than `unlisted`. Where that does not tell enough,
-- which takes objects that have hardly more events than thousands of others, it is the whole of audit.target_totals.
CREATE FUNCTION audit.busiest_targets(since timestamptz, until timestamptz, wanted int) RETURNS TABLE (
    retention_class text, target_type text, target_id text, target_name text,
    events bigint, failures bigint, first_at timestamptz, last_at timestamptz
)
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    WITH whole AS MATERIALIZED (
        SELECT s.summary, s.retention_class, s.unlisted
        FROM audit.object_summaries AS s
        WHERE s.day >= audit.first_whole_day(since) AND s.day < audit.last_whole_day(until) AND s.retention_class <> 'log'
    ), rest AS MATERIALIZED (
        SELECT e.retention_class, e.target_type, e.target_id, e.target_name,
               coalesce(nullif(e.target_id, ''), nullif(e.target_name, '')) AS target_key, count(*) AS events,
               count(*) FILTER (WHERE e.outcome = 'failure') AS failures, min(e.occurred_at) AS first_at,
               max(e.occurred_at) AS last_at
        FROM audit.unsummarised(since, until) AS u
        JOIN audit.events AS e ON e.occurred_at BETWEEN u.starts_at AND u.ends_at AND e.retention_class <> ALL (u.summarised)
        WHERE e.occurred_at BETWEEN since AND until AND e.retention_class <> 'log'
            AND coalesce(nullif(e.target_id, ''), nullif(e.target_name, '')) IS NOT NULL
        GROUP BY 1, 2, 3, 4
    ), listed AS MATERIALIZED (
        SELECT target_type, target_key, sum(events) AS events, sum(unlisted) AS unlisted
        FROM (
            SELECT l.target_type, l.target_key, l.events, w.unlisted
            FROM whole AS w JOIN audit.listed_objects AS l USING (summary)
            UNION ALL
            SELECT r.target_type, r.target_key, r.events, 0 FROM rest AS r
        ) AS counted
        GROUP BY 1, 2
    ), bound AS MATERIALIZED (
        SELECT unlisted, least, known AND (unlisted = 0 OR unlisted < least) IS TRUE AS enough
        FROM (
            SELECT coalesce(sum(unlisted), 0) AS unlisted, count(unlisted) = count(*) AS known,
                   coalesce((SELECT events FROM listed ORDER BY events DESC OFFSET wanted - 1 LIMIT 1), 0) AS least
            FROM whole
        ) AS sums
    ), candidate AS MATERIALIZED (
        SELECT l.target_type, l.target_key, hashtextextended(l.target_key, 0) AS hash
        FROM listed AS l, bound AS b
        WHERE b.enough AND l.events + b.unlisted - l.unlisted >= b.least
    )
    SELECT w.retention_class, s.target_type, s.target_id, s.target_name, s.events, s.failures, s.first_at, s.last_at
    FROM candidate AS c
    CROSS JOIN LATERAL (
        -- OFFSET 0: one look into the index for each, however many the planner expects.
        SELECT t.* FROM audit.target_summaries AS t
        WHERE hashtextextended(coalesce(nullif(t.target_id, ''), t.target_name), 0) = c.hash
            AND coalesce(nullif(t.target_id, ''), t.target_name) = c.target_key
            AND t.target_type IS NOT DISTINCT FROM c.target_type
        OFFSET 0
    ) AS s
    JOIN whole AS w USING (summary)
    UNION ALL
    SELECT r.retention_class, r.target_type, r.target_id, r.target_name, r.events, r.failures, r.first_at, r.last_at
    FROM rest AS r
    JOIN candidate AS c ON c.target_key = r.target_key AND c.target_type IS NOT DISTINCT FROM r.target_type
    UNION ALL
    SELECT t.retention_class, t.target_type, t.target_id, t.target_name, t.events, t.failures, t.first_at, t.last_at
    FROM audit.target_totals(since, until) AS t
    WHERE t.retention_class <> 'log' AND NOT (SELECT b.enough FROM bound AS b)
$$;

-- Removes summaries with all their rows.
CREATE FUNCTION audit.drop_summaries(ids int[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    dates date[];
    place text;
BEGIN
    WITH gone AS (DELETE FROM audit.summaries WHERE id = ANY (ids) RETURNING day) SELECT array_agg(day) INTO dates FROM gone;
    IF dates IS NULL THEN
        RETURN;
    END IF;
    FOREACH place IN ARRAY ARRAY['actor_days', 'target_days', 'day_targets'] LOOP
        EXECUTE format('DELETE FROM audit.%I WHERE day = ANY ($1) AND summary = ANY ($2)', place) USING dates, ids;
    END LOOP;
    FOREACH place IN ARRAY ARRAY['day_actors', 'day_names', 'day_addresses', 'day_places', 'day_objects'] LOOP
        EXECUTE format('DELETE FROM audit.%I WHERE summary = ANY ($1)', place) USING ids;
    END LOOP;
END
$$;

-- As in 0005, the weeks of that day too. Nobody makes summaries until this transaction has ended: of what it changes,
-- nothing may be summarised as it was before.
CREATE OR REPLACE FUNCTION audit.remove_summaries(class_name text, of_day date) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('audit.summarise_next', 0));
    PERFORM audit.drop_summaries(ARRAY(SELECT id FROM audit.summaries
                                       WHERE retention_class = class_name AND of_day >= day AND of_day < day + days));
END
$$;

-- As in 0005, with the list of objects, and the rows by kind.
CREATE OR REPLACE FUNCTION audit.summarise(class_name text, of_day date) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET work_mem = '64MB'
AS $$
DECLARE
    listed CONSTANT int := 1000;
    summarised bigint;
    place text := format('audit.%I WHERE occurred_at >= %L AND occurred_at < %L',
                         'events_' || class_name, of_day::timestamptz, (of_day + 1)::timestamptz);
    -- What a kind is, as one value that can be hashed, nulls included.
    kind_of text := 'ARRAY[service, environment, tenant, action, outcome, severity::text, country]';
BEGIN
    PERFORM audit.drop_summaries(ARRAY(SELECT id FROM audit.summaries
                                       WHERE retention_class = class_name AND day = of_day AND days = 1));
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
        ), by_object AS MATERIALIZED (
            SELECT target_type, target_id, target_name, sum(targets.events) AS events,
                   coalesce(sum(targets.events) FILTER (WHERE kind_of[5] = 'failure'), 0) AS failures,
                   min(first_at) AS first_at, max(last_at) AS last_at
            FROM targets GROUP BY target_type, target_id, target_name
        ), objects AS MATERIALIZED (
            SELECT target_type, coalesce(nullif(target_id, ''), target_name) AS target_key, sum(events) AS events,
                   row_number() OVER (ORDER BY sum(events) DESC) AS place
            FROM by_object WHERE coalesce(nullif(target_id, ''), nullif(target_name, '')) IS NOT NULL GROUP BY 1, 2
        ), made AS (
            INSERT INTO audit.summaries (day, retention_class, events, made_at, unlisted)
            SELECT %4$L, %3$L, coalesce(sum(events), 0), now(),
                   coalesce((SELECT objects.events FROM objects WHERE objects.place = %5$s + 1), 0)
            FROM actors
            RETURNING id, events
        ), by_actor AS (
            INSERT INTO audit.actor_days (summary, day, kind, events, first_at, last_at, latitude, longitude, client_ip,
                                          actor_id, actor_name, actor_email, actor_type, on_behalf_of, city)
            SELECT made.id, %4$L, kind, actors.events, first_at, last_at, latitude, longitude, client_ip, actor_id,
                   actor_name, actor_email, actor_type, on_behalf_of, city
            FROM made, actors JOIN kinds USING (kind_of) ORDER BY kind
        ), by_target AS (
            INSERT INTO audit.target_days (summary, day, kind, events, first_at, last_at, target_type, target_id,
                                           target_name, actor_id, actor_name, actor_email, on_behalf_of)
            SELECT made.id, %4$L, kind, targets.events, first_at, last_at, target_type, target_id, target_name, actor_id,
                   actor_name, actor_email, on_behalf_of
            FROM made, targets JOIN kinds USING (kind_of) ORDER BY kind
        ), day_actors AS (
            INSERT INTO audit.day_actors (summary, day, events, failures, first_at, last_at, latitude, longitude, actor_id,
                                          actor_name, actor_email, actor_type, country, city)
            SELECT made.id, %4$L, sum(actors.events), coalesce(sum(actors.events) FILTER (WHERE kind_of[5] = 'failure'), 0),
                   min(first_at), max(last_at), latitude, longitude, actor_id, actor_name, actor_email, actor_type,
                   kind_of[7], city
            FROM made, actors GROUP BY made.id, latitude, longitude, actor_id, actor_name, actor_email, actor_type,
                kind_of[7], city
        ), day_names AS (
            INSERT INTO audit.day_names (summary, day, events, first_at, last_at, actor_id, actor_name, actor_email,
                                         on_behalf_of)
            SELECT made.id, %4$L, sum(actors.events), min(first_at), max(last_at), actor_id, actor_name, actor_email,
                   on_behalf_of
            FROM made, actors GROUP BY made.id, actor_id, actor_name, actor_email, on_behalf_of
        ), day_targets AS (
            INSERT INTO audit.day_targets (summary, day, events, failures, first_at, last_at, target_type, target_id,
                target_name)
            SELECT made.id, %4$L, by_object.events, failures, first_at, last_at, target_type, target_id, target_name
            FROM made, by_object
        ), day_objects AS (
            INSERT INTO audit.day_objects (summary, events, target_type, target_key)
            SELECT made.id, objects.events, target_type, target_key FROM made, objects WHERE place <= %5$s
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
    $sql$, kind_of, place, class_name, of_day, listed) INTO summarised;
    RETURN summarised;
END
$$;

-- Weeks, and four weeks, that are over and whose days of a class are all summarised; the class has events from their
-- beginning on. parts: the summaries of their days, by id.
CREATE VIEW audit.whole_weeks AS
SELECT length.days, e.day - (e.day - date '1900-01-01') % length.days AS first_day, e.retention_class,
       array_agg(DISTINCT v.id ORDER BY v.id) AS parts
FROM audit.event_days AS e
JOIN (SELECT retention_class, min(day) AS day FROM audit.event_days GROUP BY 1) AS oldest USING (retention_class)
CROSS JOIN (VALUES (7), (28)) AS length (days)
LEFT JOIN audit.valid_summaries AS v ON v.day = e.day AND v.retention_class = e.retention_class
GROUP BY 1, 2, 3
HAVING bool_and(v.id IS NOT NULL) AND min(oldest.day) <= e.day - (e.day - date '1900-01-01') % length.days
    AND e.day - (e.day - date '1900-01-01') % length.days + length.days <= (now() AT TIME ZONE 'UTC')::date;

-- Summarises some weeks of a class from the summaries of their days.
CREATE FUNCTION audit.summarise_weeks(class_name text, first_day date, number_of_days int, parts int[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET work_mem = '64MB'
AS $$
DECLARE
    made int;
    place text;
    sums text;
    keys text;
BEGIN
    PERFORM audit.drop_summaries(ARRAY(SELECT id FROM audit.summaries
                                       WHERE retention_class = class_name AND day = first_day AND days = number_of_days));
    INSERT INTO audit.summaries (day, retention_class, events, made_at, days, made_of)
    SELECT first_day, class_name, sum(events), now(), number_of_days, parts FROM audit.summaries WHERE id = ANY (parts)
    RETURNING id INTO made;
    FOR place, sums, keys IN VALUES
        ('day_actors', 'events, failures', 'latitude, longitude, actor_id, actor_name, actor_email, actor_type, country, city'),
        ('day_names', 'events', 'actor_id, actor_name, actor_email, on_behalf_of'),
        ('day_addresses', 'events, failures', 'client_ip, country'),
        ('day_places', 'events, failures', 'latitude, longitude, country, city, action')
    LOOP
        -- Days of fifty million events by one key stay rows of their own: the sum of 28 would not fit into an int.
        EXECUTE format($sql$
            INSERT INTO audit.%1$I (summary, day, first_at, last_at, %2$s, %3$s)
            SELECT $1, $2, min(first_at), max(last_at), %2$s, %4$s
            FROM audit.%1$I WHERE summary = ANY ($3)
            GROUP BY %2$s, CASE WHEN events > 50000000 THEN summary END
        $sql$, place, keys, sums, regexp_replace(sums, '\w+', 'sum(\&)', 'g')) USING made, first_day, parts;
    END LOOP;
END
$$;

-- As in 0005; when all days are summarised, those that an earlier version made are made anew, then weeks.
CREATE OR REPLACE FUNCTION audit.summarise_next() RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET timezone = 'UTC'
AS $$
DECLARE
    of_day date;
    class_name text;
    length int;
    parts int[];
BEGIN
    IF NOT pg_try_advisory_xact_lock(hashtextextended('audit.summarise_next', 0)) THEN
        RETURN NULL;
    END IF;
    SELECT s.day, s.retention_class INTO of_day, class_name FROM audit.summaries AS s
    WHERE s.days = 1
        AND NOT EXISTS (SELECT FROM audit.event_days AS e WHERE e.day = s.day AND e.retention_class = s.retention_class)
    LIMIT 1;
    IF FOUND THEN
        PERFORM audit.remove_summaries(class_name, of_day);
        RETURN format('removed %s of class %s', of_day, class_name);
    END IF;
    SELECT e.day, e.retention_class INTO of_day, class_name
    FROM audit.event_days AS e
    LEFT JOIN audit.summaries AS s ON s.day = e.day AND s.retention_class = e.retention_class AND s.days = 1
    WHERE (e.day + 1)::timestamptz < now() - interval '15 minutes'
        AND (s.id IS NULL OR s.unlisted IS NULL OR s.made_at < now() - interval '10 minutes'
             AND NOT EXISTS (SELECT FROM audit.valid_summaries AS v WHERE v.id = s.id))
        AND NOT EXISTS (SELECT FROM audit.unsummarised_days AS u WHERE u.day = e.day)
    ORDER BY s.id IS NOT NULL AND s.unlisted IS NULL, e.day DESC
    LIMIT 1;
    IF FOUND THEN
        RETURN format('summarised %s of class %s: %s events', of_day, class_name, audit.summarise(class_name, of_day));
    END IF;
    SELECT w.first_day, w.retention_class, w.days, w.parts INTO of_day, class_name, length, parts
    FROM audit.whole_weeks AS w
    LEFT JOIN audit.summaries AS s ON s.day = w.first_day AND s.retention_class = w.retention_class AND s.days = w.days
    WHERE s.id IS NULL OR s.made_of <> w.parts AND s.made_at < now() - s.days * interval '10 minutes'
    ORDER BY w.first_day DESC, w.days
    LIMIT 1;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    PERFORM audit.summarise_weeks(class_name, of_day, length, parts);
    RETURN format('summarised %s days from %s of class %s', length, of_day, class_name);
END
$$;

REVOKE ALL ON FUNCTION audit.drop_summaries(int[]), audit.summarise_weeks(text, date, int, int[]) FROM PUBLIC;
GRANT SELECT ON audit.actor_summaries, audit.name_summaries, audit.address_summaries, audit.place_summaries,
    audit.target_summaries, audit.object_summaries, audit.listed_objects TO auditgraf_reader;
