-- Counts of events by five minutes and by hour, for charts over long ranges: written in the transaction that stores the
-- events, so exact at every moment. Runs as auditgraf_owner inside one transaction.

-- The digest of a kind; longer labels are cut to 256 characters before.
CREATE FUNCTION audit.kind_digest(
    retention_class text, service text, environment text, tenant text, action text, outcome text, severity int, country text
) RETURNS uuid
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN encode(substring(sha256(convert_to(jsonb_build_array(
    retention_class, service, environment, tenant, action, outcome, severity, country)::text, 'UTF8')) FOR 16), 'hex')::uuid;

-- What events are counted by. A million distinct actions must not become a million rows a day: see audit.kind_ids.
CREATE TABLE audit.kinds (
    id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    digest uuid NOT NULL UNIQUE,           -- of the columns below: any of them may be longer than an index entry
    first_day date NOT NULL DEFAULT (now() AT TIME ZONE 'UTC')::date,
    retention_class text NOT NULL,
    service text,
    environment text,
    tenant text,
    action text,
    outcome text NOT NULL,
    severity smallint NOT NULL,
    country text,
    plain uuid NOT NULL GENERATED ALWAYS AS (           -- the digest without severity and country
        audit.kind_digest(retention_class, service, environment, tenant, action, outcome, 0, NULL)) STORED
);
CREATE INDEX kinds_first_day ON audit.kinds (first_day);

-- Events by five minutes and kind. Groups that are committed at the same moment count in different shards, so that
-- no writer waits for another's commit; a reader adds the shards up.
CREATE TABLE audit.rollups (
    bucket timestamptz NOT NULL,
    kind int NOT NULL,
    shard smallint NOT NULL,
    events bigint NOT NULL,
    PRIMARY KEY (bucket, kind, shard)
) PARTITION BY RANGE (bucket);

-- The same by hour, without severity and country: few rows, for charts over months.
CREATE TABLE audit.hour_rollups (
    bucket timestamptz NOT NULL,
    plain uuid NOT NULL,                   -- of audit.kinds
    shard smallint NOT NULL,
    events bigint NOT NULL,
    PRIMARY KEY (bucket, plain, shard)
) WITH (fillfactor = 70);

-- Events ever committed by class and UTC day: what a summary of that day must agree with.
CREATE TABLE audit.day_counts (
    day date NOT NULL,
    retention_class text NOT NULL,
    shard smallint NOT NULL,
    events bigint NOT NULL,
    PRIMARY KEY (day, retention_class, shard)
) WITH (fillfactor = 50);

-- Kinds as they were asked for, labels cut: place in the JSON array of [class, service, environment, tenant, action,
-- outcome, severity, country], digest, columns.
CREATE FUNCTION audit.read_kinds(wanted jsonb) RETURNS TABLE (
    place bigint, digest uuid, retention_class text, service text, environment text, tenant text, action text,
    outcome text, severity smallint, country text
)
LANGUAGE sql IMMUTABLE
BEGIN ATOMIC
    SELECT k.place, audit.kind_digest(k.class, k.service, k.environment, k.tenant, k.action, k.outcome, k.severity, k.country),
           k.class, k.service, k.environment, k.tenant, k.action, k.outcome, k.severity::smallint, k.country
    FROM (
        SELECT given.place, given.kind ->> 0 AS class, left(given.kind ->> 1, 256) AS service,
               left(given.kind ->> 2, 256) AS environment, left(given.kind ->> 3, 256) AS tenant,
               left(given.kind ->> 4, 256) AS action, given.kind ->> 5 AS outcome,
               (given.kind ->> 6)::int AS severity, left(given.kind ->> 7, 256) AS country
        FROM jsonb_array_elements(wanted) WITH ORDINALITY AS given (kind, place)
        OFFSET 0
    ) AS k;
END;

-- The ids of kinds (see audit.read_kinds), in the order given. New ones are stored, up to 10,000 a day and service and
-- 50,000 a day in all; events of further ones are counted under the environment, tenant and action '(other)' of their
-- service, past the second limit under the service '(other)' too, without severity and country.
CREATE FUNCTION audit.kind_ids(wanted jsonb) RETURNS int[]
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET timezone = 'UTC'
AS $$
DECLARE
    per_service CONSTANT int := 10000;
    in_all CONSTANT int := 50000;
    stored_today int;
    found_ids int[];
BEGIN
    SELECT count(*) INTO stored_today FROM audit.kinds WHERE first_day = current_date;
    INSERT INTO audit.kinds (digest, retention_class, service, environment, tenant, action, outcome, severity, country)
    SELECT digest, retention_class, service, environment, tenant, action, outcome, severity, country
    FROM (
        SELECT fresh.*, row_number() OVER () AS nth,
               row_number() OVER (PARTITION BY coalesce(fresh.service, '')) + coalesce(earlier.kinds, 0) AS nth_of_service
        FROM (
            SELECT DISTINCT ON (new.digest) new.* FROM audit.read_kinds(wanted) AS new
            WHERE NOT EXISTS (SELECT FROM audit.kinds AS old WHERE old.digest = new.digest)
        ) AS fresh
        LEFT JOIN (
            SELECT coalesce(service, '') AS service, count(*) AS kinds FROM audit.kinds WHERE first_day = current_date GROUP BY 1
        ) AS earlier ON earlier.service = coalesce(fresh.service, '')
    ) AS numbered
    WHERE nth + stored_today <= in_all AND nth_of_service <= per_service
    -- In one order, so that two collectors that bring the same kinds never wait for each other in a circle.
    ORDER BY digest
    ON CONFLICT (digest) DO NOTHING;

    SELECT array_agg(known.id ORDER BY new.place) INTO found_ids
    FROM audit.read_kinds(wanted) AS new LEFT JOIN audit.kinds AS known USING (digest);
    IF array_position(found_ids, NULL) IS NULL THEN
        RETURN found_ids;
    END IF;
    SELECT count(*) INTO stored_today FROM audit.kinds WHERE first_day = current_date;
    -- Never refused, and few: their labels are what is left when all that senders choose freely is taken away.
    RETURN audit.other_kind_ids(wanted, stored_today >= in_all);
END
$$;

-- As audit.kind_ids where a limit was reached; `full`: the one for all services.
CREATE FUNCTION audit.other_kind_ids(wanted jsonb, full_up boolean) RETURNS int[]
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    others jsonb;
    found_ids int[];
BEGIN
    SELECT jsonb_agg(CASE WHEN known.id IS NULL
               THEN jsonb_build_array(new.retention_class, CASE WHEN full_up THEN '(other)' ELSE new.service END,
                                      '(other)', '(other)', '(other)', new.outcome, 0, NULL)
               ELSE jsonb_build_array(new.retention_class, new.service, new.environment, new.tenant, new.action,
                                      new.outcome, new.severity, new.country) END ORDER BY new.place)
    INTO others
    FROM audit.read_kinds(wanted) AS new LEFT JOIN audit.kinds AS known USING (digest);
    INSERT INTO audit.kinds (digest, retention_class, service, environment, tenant, action, outcome, severity, country)
    SELECT DISTINCT ON (digest) digest, retention_class, service, environment, tenant, action, outcome, severity, country
    FROM audit.read_kinds(others) ORDER BY digest
    ON CONFLICT (digest) DO NOTHING;
    SELECT array_agg(known.id ORDER BY new.place) INTO found_ids
    FROM audit.read_kinds(others) AS new JOIN audit.kinds AS known USING (digest);
    RETURN found_ids;
END
$$;

-- Creates the months of audit.rollups that are missing; each is named by any of its days.
CREATE FUNCTION audit.ensure_rollups(days date[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET timezone = 'UTC'
AS $$
DECLARE
    day date;
    first date;
    child text;
BEGIN
    FOREACH day IN ARRAY days LOOP
        IF day NOT BETWEEN current_date - 36600 AND current_date + 45 THEN
            RAISE EXCEPTION 'no rollups are kept for %: out of the accepted window', day;
        END IF;
        first := date_trunc('month', day::timestamp)::date;
        child := to_char(first, '"rollups_p"YYYYMM');
        CONTINUE WHEN to_regclass(format('audit.%I', child)) IS NOT NULL;
        PERFORM pg_advisory_xact_lock(hashtextextended('audit.ensure_rollups', 0));
        -- Not by to_regclass, which remembers that it was not there a moment ago.
        CONTINUE WHEN EXISTS (SELECT FROM pg_class WHERE relnamespace = 'audit'::regnamespace AND relname = child);
        -- Room in each page, so that a count goes up without a new index entry.
        EXECUTE format('CREATE TABLE audit.%I (LIKE audit.rollups INCLUDING ALL) WITH (fillfactor = 70)', child);
        EXECUTE format('ALTER TABLE audit.rollups ATTACH PARTITION audit.%I FOR VALUES FROM (%L) TO (%L)',
                       child, first::timestamptz, (first + interval '1 month')::timestamptz);
    END LOOP;
END
$$;

-- Adds the counts of a group, in the transaction that stores its events: the number of five minutes since 1970, the
-- kind, and the events of each. The last statement of its transaction, so that what it locks is locked for a moment.
CREATE FUNCTION audit.count_events(slots int[], kinds int[], counts int[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET timezone = 'UTC'
AS $$
DECLARE
    mine smallint := 0;
BEGIN
    -- The first shard that no other transaction is counting in. Only a matter of speed: rows are added to, not replaced.
    WHILE mine < 32 AND NOT pg_try_advisory_xact_lock(hashtext('audit.count_events'), mine) LOOP
        mine := mine + 1;
    END LOOP;
    WITH given AS MATERIALIZED (
        SELECT to_timestamp(slot::bigint * 300) AS bucket, k.id, k.plain, k.retention_class, g.events
        FROM unnest(slots, kinds, counts) AS g (slot, kind, events) JOIN audit.kinds AS k ON k.id = g.kind
    ), by_kind AS (
        INSERT INTO audit.rollups AS known (bucket, kind, shard, events)
        SELECT bucket, id, mine, sum(events) FROM given GROUP BY bucket, id ORDER BY bucket, id
        ON CONFLICT (bucket, kind, shard) DO UPDATE SET events = known.events + excluded.events
    ), by_hour AS (
        INSERT INTO audit.hour_rollups AS known (bucket, plain, shard, events)
        SELECT date_trunc('hour', bucket), plain, mine, sum(events) FROM given GROUP BY 1, 2 ORDER BY 1, 2
        ON CONFLICT (bucket, plain, shard) DO UPDATE SET events = known.events + excluded.events
    )
    INSERT INTO audit.day_counts AS known (day, retention_class, shard, events)
    SELECT bucket::date, retention_class, mine, sum(events) FROM given GROUP BY 1, 2 ORDER BY 1, 2
    ON CONFLICT (day, retention_class, shard) DO UPDATE SET events = known.events + excluded.events;
END
$$;

-- Counts those of the given events that this very transaction has stored: a group's that were not there before.
CREATE FUNCTION audit.just_stored(class_name text, ids uuid[], times timestamptz[]) RETURNS TABLE (
    slot int, service text, environment text, tenant text, action text, outcome text, severity smallint, country text,
    events int
)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN QUERY EXECUTE format($sql$
        SELECT floor(extract(epoch FROM e.occurred_at) / 300)::int, e.service, e.environment, e.tenant, e.action,
               e.outcome, e.severity, e.country, count(*)::int
        FROM (SELECT DISTINCT id, occurred_at FROM unnest($1, $2) AS given (id, occurred_at)) AS given
        JOIN audit.%I AS e ON e.id = given.id AND e.occurred_at = given.occurred_at
        WHERE e.xmin = pg_current_xact_id()::xid
        GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
    $sql$, 'events_' || class_name) USING ids, times;
END
$$;

-- The days that have a partition, by class.
CREATE VIEW audit.event_days AS
SELECT c.class AS retention_class, to_date(substring(child.relname FROM '_p(\d{8})(?:_\d+)?$'), 'YYYYMMDD') AS day
FROM audit.retention_classes AS c
JOIN pg_inherits AS i ON i.inhparent = to_regclass(format('audit.%I', 'events_' || c.class)) AND NOT i.inhdetachpending
JOIN pg_class AS child ON child.oid = i.inhrelid;

-- Counts the events of some days of a class that are in its partitions, in place of what was counted. For events that
-- came in by another way than the writer's, and for those from before there were rollups. Locks out writers meanwhile.
CREATE FUNCTION audit.recount(class_name text, first date, last date) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET work_mem = '64MB'
AS $$
DECLARE
    counted bigint;
BEGIN
    EXECUTE format('LOCK TABLE audit.%I IN SHARE ROW EXCLUSIVE MODE', 'events_' || class_name);
    PERFORM audit.ensure_rollups(array_agg(month::date))
    FROM generate_series(date_trunc('month', first::timestamp), last, interval '1 month') AS month;
    DELETE FROM audit.rollups USING audit.kinds AS k
    WHERE k.id = kind AND k.retention_class = class_name
        AND bucket >= first::timestamptz AND bucket < (last + 1)::timestamptz;
    DELETE FROM audit.hour_rollups
    WHERE bucket >= first::timestamptz AND bucket < (last + 1)::timestamptz
        AND plain IN (SELECT k.plain FROM audit.kinds AS k WHERE k.retention_class = class_name);
    DELETE FROM audit.day_counts WHERE day BETWEEN first AND last AND retention_class = class_name;
    EXECUTE format($sql$
        WITH counted AS MATERIALIZED (
            SELECT floor(extract(epoch FROM occurred_at) / 300)::int AS slot, count(*)::int AS events,
                   ARRAY[service, environment, tenant, action, outcome, severity::text, country] AS kind_of
            FROM audit.%I WHERE occurred_at >= %L AND occurred_at < %L GROUP BY 1, 3
        ), numbered AS MATERIALIZED (
            SELECT kind_of, row_number() OVER () AS place FROM (SELECT DISTINCT kind_of FROM counted) AS each
        ), known AS MATERIALIZED (
            SELECT audit.kind_ids(jsonb_agg(jsonb_build_array(%L, kind_of[1], kind_of[2], kind_of[3], kind_of[4],
                       kind_of[5], kind_of[6]::int, kind_of[7]) ORDER BY place)) AS ids
            FROM numbered
        ), lists AS (
            SELECT array_agg(slot) AS slots, array_agg(ids[place]) AS kinds, array_agg(events) AS counts, sum(events) AS total
            FROM counted JOIN numbered USING (kind_of), known
        )
        SELECT total FROM (SELECT total, audit.count_events(slots, kinds, counts) FROM lists WHERE total > 0 OFFSET 0) AS done
    $sql$, 'events_' || class_name, first::timestamptz, (last + 1)::timestamptz, class_name) INTO counted;
    RETURN coalesce(counted, 0);
END
$$;

-- Drops the months of rollups that are wholly older than `keep` (NULL: none); returns how many. Where somebody holds
-- on to them it gives up soon, so that no writer queues behind it; the next run tries again.
CREATE FUNCTION audit.drop_expired_rollups(keep interval) RETURNS int
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET lock_timeout = '500ms'
AS $$
DECLARE
    child text;
    dropped int := 0;
BEGIN
    FOR child IN
        SELECT relname FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
        WHERE inhparent = 'audit.rollups'::regclass
            AND (to_date(right(relname, 6), 'YYYYMM') + interval '1 month')::timestamptz <= now() - keep
        ORDER BY relname
    LOOP
        EXECUTE format('DROP TABLE audit.%I', child);
        dropped := dropped + 1;
    END LOOP;
    DELETE FROM audit.hour_rollups WHERE bucket < date_trunc('month', now() - keep);
    DELETE FROM audit.day_counts AS c
    WHERE date_trunc('month', c.day::timestamp) + interval '1 month' <= (now() - keep)::timestamp
        AND NOT EXISTS (SELECT FROM audit.event_days AS e WHERE e.day = c.day AND e.retention_class = c.retention_class);
    RETURN dropped;
END
$$;

-- What the reader sees. A key may have several rows, one for each shard: sum them up.
CREATE VIEW audit.volume AS
SELECT r.bucket, k.retention_class, k.service, k.environment, k.tenant, k.action, k.outcome, k.severity, k.country, r.events
FROM audit.rollups AS r JOIN audit.kinds AS k ON k.id = r.kind;

-- By hour, without severity and country.
CREATE VIEW audit.volume_hours AS
SELECT h.bucket, k.retention_class, k.service, k.environment, k.tenant, k.action, k.outcome, h.events
FROM audit.hour_rollups AS h
JOIN (
    SELECT DISTINCT ON (plain) plain, retention_class, service, environment, tenant, action, outcome
    FROM audit.kinds ORDER BY plain
) AS k USING (plain);

CREATE VIEW audit.volume_days AS
SELECT day, retention_class, sum(events)::bigint AS events FROM audit.day_counts GROUP BY 1, 2;

REVOKE ALL ON FUNCTION audit.kind_ids(jsonb), audit.other_kind_ids(jsonb, boolean), audit.ensure_rollups(date[]),
    audit.count_events(int[], int[], int[]), audit.just_stored(text, uuid[], timestamptz[]),
    audit.recount(text, date, date), audit.drop_expired_rollups(interval) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION audit.kind_ids(jsonb), audit.ensure_rollups(date[]), audit.count_events(int[], int[], int[]),
    audit.just_stored(text, uuid[], timestamptz[]) TO auditgraf_writer;
GRANT SELECT ON audit.volume, audit.volume_hours, audit.volume_days TO auditgraf_reader;

SELECT audit.ensure_rollups(ARRAY[current_date, current_date + 3]);

-- Events that are there already.
SELECT audit.recount(retention_class, day, day) FROM audit.event_days;
