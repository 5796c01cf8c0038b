-- The events: one table per retention class, each partitioned by day, and the view that everyone reads.
-- Runs as auditgraf_owner inside one transaction; see exporter/store/migrate.py.

-- Where records come from: resource, scope and schema URLs, stored once and referred to by every event.
CREATE TABLE audit.sources (
    id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    digest bytea NOT NULL UNIQUE,          -- SHA-256 over the canonical form of the columns below
    service text,
    environment text,
    tenant text,
    resource jsonb NOT NULL,
    resource_schema_url text NOT NULL,
    scope jsonb NOT NULL,                  -- {"name", "version", "attributes"}
    scope_schema_url text NOT NULL,
    first_seen timestamptz NOT NULL DEFAULT now()
);

-- Classes and how long their events are kept; NULL is for ever. Filled from the configuration by `auditgraf migrate`.
CREATE TABLE audit.retention_classes (
    class text PRIMARY KEY CHECK (class ~ '^[a-z][a-z0-9_]{0,30}$'),
    keep interval CHECK (keep >= interval '1 hour'),
    created_at timestamptz NOT NULL DEFAULT now()
);

-- What one event is made of. Each class table is LIKE this one; it holds no rows itself.
CREATE TABLE audit.event_template (
    id uuid NOT NULL,                      -- UUIDv7 layout: milliseconds of occurred_at, then bits of SHA-256
    occurred_at timestamptz NOT NULL,
    received_at timestamptz NOT NULL,
    occurred_ns bigint NOT NULL,           -- nanoseconds since 1970, occurred_at in full
    observed_ns bigint,                    -- ObservedTimestamp as sent
    source_id int NOT NULL,
    severity smallint NOT NULL,            -- OpenTelemetry severity number, 0 is unspecified
    severity_text text,
    action text,                           -- NULL on records of class log that name none
    outcome text NOT NULL,                 -- success, failure, unknown
    actor_id text,
    actor_name text,
    actor_email text,
    actor_type text,                       -- user, service, system, anonymous
    on_behalf_of text,
    client_ip inet,
    client_address text,                   -- as sent, where it is no address
    country text,                          -- ISO 3166-1 alpha-2
    city text,
    latitude float8,
    longitude float8,
    asn bigint,                            -- 32 bits unsigned: int would refuse the private range
    as_org text,
    target_type text,
    target_id text,
    target_name text,
    service text,
    environment text,
    tenant text,
    session_id text,
    trace_id text,                         -- hex
    span_id text,                          -- hex
    user_agent text,
    message text,
    changes jsonb,                         -- {"field": {"before": x, "after": y}}
    attributes jsonb NOT NULL,
    flags text[] NOT NULL,
    PRIMARY KEY (id, occurred_at)
);

-- Records that PostgreSQL itself refused, as bytes, so that nothing is lost and no neighbour suffers.
CREATE TABLE audit.quarantine (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    received_at timestamptz NOT NULL,
    source_id int,
    reason text NOT NULL,
    record bytea NOT NULL                  -- one opentelemetry.proto.logs.v1.LogRecord
);

-- Records filed under their arrival time (no time of their own, or one outside the window): their id can't tell a
-- retry from a new record, so their content is remembered here for a while.
CREATE TABLE audit.arrivals (
    content uuid PRIMARY KEY,
    received_at timestamptz NOT NULL
);
CREATE INDEX arrivals_received_at ON audit.arrivals (received_at);

-- The moment that an event id carries: with it, a look-up by id touches one partition.
CREATE FUNCTION audit.event_time(id uuid) RETURNS timestamptz
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN to_timestamp((('x' || translate(left(id::text, 13), '-', ''))::bit(48)::bigint)::float8 / 1000);

-- Creates the partitions of a class that are missing among the given UTC days; returns how many it made.
-- Days out of reach are refused here too, so that no sender's clock can fill the catalogue.
CREATE FUNCTION audit.ensure_partitions(class_name text, days date[]) RETURNS int
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET timezone = 'UTC'
AS $$
DECLARE
    parent text := 'events_' || class_name;
    child text;
    day date;
    made int := 0;
BEGIN
    IF NOT EXISTS (SELECT FROM audit.retention_classes c WHERE c.class = class_name) THEN
        RAISE EXCEPTION 'retention class % is not known; add it to retention: and run auditgraf migrate', class_name;
    END IF;
    FOREACH day IN ARRAY days LOOP
        IF day NOT BETWEEN current_date - 36600 AND current_date + 14 THEN
            RAISE EXCEPTION 'no partition is made for %: out of the accepted window', day;
        END IF;
        child := parent || to_char(day, '"_p"YYYYMMDD');
        CONTINUE WHEN to_regclass(format('audit.%I', child)) IS NOT NULL;
        PERFORM pg_advisory_xact_lock(hashtextextended('audit.ensure_partitions', 0));
        CONTINUE WHEN to_regclass(format('audit.%I', child)) IS NOT NULL;
        -- CREATE .. PARTITION OF would lock the parent against readers and writers; ATTACH does not.
        EXECUTE format('CREATE TABLE audit.%I (LIKE audit.%I INCLUDING ALL)', child, parent);
        EXECUTE format(
            'ALTER TABLE audit.%I ATTACH PARTITION audit.%I FOR VALUES FROM (%L) TO (%L)',
            parent, child, day::timestamptz, (day + 1)::timestamptz);
        made := made + 1;
    END LOOP;
    RETURN made;
END
$$;

-- Forgets arrivals that no retry can refer to any more; returns how many.
CREATE FUNCTION audit.forget_arrivals(older_than interval) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    WITH gone AS (DELETE FROM audit.arrivals WHERE received_at < now() - greatest(older_than, interval '1 day') RETURNING 1)
    SELECT count(*) FROM gone;
END;

-- Makes audit.events the UNION ALL of all class tables. The class is a constant of each arm, not a stored column,
-- so a filter on it leaves the other classes' partitions out of the plan.
CREATE FUNCTION audit.rebuild_events_view() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    columns text;
    arms text;
BEGIN
    SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) INTO columns
    FROM pg_attribute WHERE attrelid = 'audit.event_template'::regclass AND attnum > 0 AND NOT attisdropped;
    SELECT string_agg(format('SELECT %s, %L::text AS retention_class FROM audit.%I', columns, class, 'events_' || class),
                      E'\nUNION ALL\n' ORDER BY class) INTO arms
    FROM audit.retention_classes;
    EXECUTE 'CREATE OR REPLACE VIEW audit.events AS ' || arms;
    EXECUTE 'GRANT SELECT ON audit.events TO auditgraf_reader';
END
$$;

-- Adds a class, or changes how long its events are kept. Idempotent.
CREATE FUNCTION audit.ensure_class(class_name text, keep_for interval) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    parent text := 'events_' || class_name;
BEGIN
    INSERT INTO audit.retention_classes (class, keep) VALUES (class_name, keep_for)
    ON CONFLICT (class) DO UPDATE SET keep = excluded.keep
    WHERE retention_classes.keep IS DISTINCT FROM excluded.keep;
    IF to_regclass(format('audit.%I', parent)) IS NULL THEN
        EXECUTE format('CREATE TABLE audit.%I (LIKE audit.event_template INCLUDING ALL) PARTITION BY RANGE (occurred_at)', parent);
        EXECUTE format('CREATE INDEX ON audit.%I (occurred_at)', parent);
        EXECUTE format('CREATE INDEX ON audit.%I (actor_id, occurred_at) WHERE actor_id IS NOT NULL', parent);
        EXECUTE format('CREATE INDEX ON audit.%I (target_id, target_type, occurred_at) WHERE target_id IS NOT NULL', parent);
        EXECUTE format('CREATE INDEX ON audit.%I (client_ip, occurred_at) WHERE client_ip IS NOT NULL', parent);
        -- Tiny, and nearly free to keep: a group is found by its arrival even where one record of it is very late.
        EXECUTE format('CREATE INDEX ON audit.%I USING brin (received_at) WITH (autosummarize = on)', parent);
        EXECUTE format('GRANT INSERT ON audit.%I TO auditgraf_writer', parent);
    END IF;
    PERFORM audit.rebuild_events_view();
END
$$;

-- The newest migration that is in; the collector is ready only when it is its own.
CREATE FUNCTION audit.schema_version() RETURNS int
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT coalesce(max(version), 0) FROM audit.migrations;
END;

-- What the reader sees beside audit.events.
CREATE VIEW audit.event_sources AS
SELECT id AS source_id, service, environment, tenant, resource, resource_schema_url, scope, scope_schema_url, first_seen
FROM audit.sources;

CREATE VIEW audit.retention AS
SELECT class, keep FROM audit.retention_classes;

REVOKE ALL ON FUNCTION audit.ensure_partitions(text, date[]), audit.forget_arrivals(interval),
    audit.rebuild_events_view(), audit.ensure_class(text, interval) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION audit.ensure_partitions(text, date[]), audit.forget_arrivals(interval) TO auditgraf_writer;
GRANT SELECT, INSERT ON audit.sources TO auditgraf_writer;
GRANT INSERT ON audit.quarantine TO auditgraf_writer;
GRANT SELECT, INSERT, UPDATE ON audit.arrivals TO auditgraf_writer;
GRANT SELECT ON audit.retention_classes, audit.event_template TO auditgraf_writer;
GRANT SELECT ON audit.event_sources, audit.retention TO auditgraf_reader;
