-- What one tenant sees: views and functions of the names that the reader's have, with nothing in them but the tenant's
-- own events and counts. Run as auditgraf_owner in one transaction. In braces: schema and role are the tenant's, schema_name
-- the schema's name as text, matches the values of the column tenant that are the tenant's.
--
-- Views run with their owner's rights, so the role needs none on what they read. security_barrier: no condition of whoever
-- asks is tried on a row before the tenant's own. PostgreSQL (18 too) does not keep that promise where the view itself
-- is a UNION ALL: none may be. Functions run with the caller's rights and read these views, never the schema audit.
-- Reached by nobody else: who may not use a schema can't name what is in it.

DROP SCHEMA IF EXISTS {schema} CASCADE;
CREATE SCHEMA {schema};

CREATE VIEW {schema}.events WITH (security_barrier) AS SELECT * FROM audit.events WHERE tenant IN {matches};

CREATE VIEW {schema}.event_sources WITH (security_barrier) AS SELECT * FROM audit.event_sources WHERE tenant IN {matches};

-- How long classes are kept says nothing of anybody's events.
CREATE VIEW {schema}.retention WITH (security_barrier) AS SELECT * FROM audit.retention;

CREATE VIEW {schema}.volume WITH (security_barrier) AS SELECT * FROM audit.volume WHERE tenant IN {matches};

CREATE VIEW {schema}.volume_hours WITH (security_barrier) AS SELECT * FROM audit.volume_hours WHERE tenant IN {matches};

-- The operator's counts by day have no tenant; those by hour do.
CREATE VIEW {schema}.volume_days WITH (security_barrier) AS
SELECT (bucket AT TIME ZONE 'UTC')::date AS day, retention_class, sum(events)::bigint AS events
FROM audit.volume_hours WHERE tenant IN {matches}
GROUP BY 1, 2;

CREATE VIEW {schema}.summarised_actors WITH (security_barrier) AS
SELECT * FROM audit.summarised_actors WHERE tenant IN {matches};

CREATE VIEW {schema}.summarised_targets WITH (security_barrier) AS
SELECT * FROM audit.summarised_targets WHERE tenant IN {matches};

CREATE FUNCTION {schema}.event_time(id uuid) RETURNS timestamptz
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN audit.event_time(id);

-- Says of days and classes whether they are summarised, and nothing of what is in them.
CREATE FUNCTION {schema}.unsummarised(since timestamptz, until timestamptz)
RETURNS TABLE (starts_at timestamptz, ends_at timestamptz, summarised text[])
LANGUAGE sql STABLE PARALLEL SAFE ROWS 1
BEGIN ATOMIC
    SELECT u.starts_at, u.ends_at, u.summarised FROM audit.unsummarised(since, until) AS u;
END;

-- As audit.volume_actors. OFFSET 0: for each part of the time range its own events are read; a condition of a join is
-- not carried into a view with a security barrier, a subquery's is.
CREATE FUNCTION {schema}.volume_actors(since timestamptz, until timestamptz) RETURNS TABLE (
    retention_class text, service text, environment text, tenant text, action text, outcome text, severity smallint,
    country text, city text, latitude float8, longitude float8, client_ip inet, actor_id text, actor_name text,
    actor_email text, actor_type text, on_behalf_of text, events bigint, first_at timestamptz, last_at timestamptz
)
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT s.retention_class, s.service, s.environment, s.tenant, s.action, s.outcome, s.severity, s.country, s.city,
           s.latitude, s.longitude, s.client_ip, s.actor_id, s.actor_name, s.actor_email, s.actor_type, s.on_behalf_of,
           s.events, s.first_at, s.last_at
    FROM {schema}.summarised_actors AS s
    WHERE s.day >= audit.first_whole_day(since) AND s.day < audit.last_whole_day(until)
    UNION ALL
    SELECT e.retention_class, e.service, e.environment, e.tenant, e.action, e.outcome, e.severity, e.country, e.city,
           e.latitude, e.longitude, e.client_ip, e.actor_id, e.actor_name, e.actor_email, e.actor_type, e.on_behalf_of,
           1::bigint, e.occurred_at, e.occurred_at
    FROM {schema}.unsummarised(since, until) AS u, LATERAL (
        SELECT * FROM {schema}.events
        WHERE occurred_at BETWEEN u.starts_at AND u.ends_at AND retention_class <> ALL (u.summarised)
            AND occurred_at BETWEEN since AND until
        OFFSET 0
    ) AS e;
END;

-- As audit.volume_targets.
CREATE FUNCTION {schema}.volume_targets(since timestamptz, until timestamptz) RETURNS TABLE (
    retention_class text, service text, environment text, tenant text, action text, outcome text, severity smallint,
    country text, target_type text, target_id text, target_name text, actor_id text, actor_name text, actor_email text,
    on_behalf_of text, events bigint, first_at timestamptz, last_at timestamptz
)
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT s.retention_class, s.service, s.environment, s.tenant, s.action, s.outcome, s.severity, s.country,
           s.target_type, s.target_id, s.target_name, s.actor_id, s.actor_name, s.actor_email, s.on_behalf_of, s.events,
           s.first_at, s.last_at
    FROM {schema}.summarised_targets AS s
    WHERE s.day >= audit.first_whole_day(since) AND s.day < audit.last_whole_day(until)
    UNION ALL
    SELECT e.retention_class, e.service, e.environment, e.tenant, e.action, e.outcome, e.severity, e.country,
           e.target_type, e.target_id, e.target_name, e.actor_id, e.actor_name, e.actor_email, e.on_behalf_of, 1::bigint,
           e.occurred_at, e.occurred_at
    FROM {schema}.unsummarised(since, until) AS u, LATERAL (
        SELECT * FROM {schema}.events
        WHERE occurred_at BETWEEN u.starts_at AND u.ends_at AND retention_class <> ALL (u.summarised)
            AND occurred_at BETWEEN since AND until AND coalesce(target_id, target_name) IS NOT NULL
        OFFSET 0
    ) AS e;
END;

-- The operator's daily totals have no tenant: a tenant's are added up from what has.

CREATE FUNCTION {schema}.actor_totals(since timestamptz, until timestamptz) RETURNS TABLE (
    retention_class text, actor_id text, actor_name text, actor_email text, actor_type text, country text, city text,
    latitude float8, longitude float8, events bigint, failures bigint, first_at timestamptz, last_at timestamptz
)
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT v.retention_class, v.actor_id, v.actor_name, v.actor_email, v.actor_type, v.country, v.city, v.latitude,
           v.longitude, v.events, CASE WHEN v.outcome = 'failure' THEN v.events ELSE 0 END, v.first_at, v.last_at
    FROM {schema}.volume_actors(since, until) AS v;
END;

CREATE FUNCTION {schema}.actor_names(since timestamptz, until timestamptz) RETURNS TABLE (
    retention_class text, actor_id text, actor_name text, actor_email text, on_behalf_of text, events bigint,
    first_at timestamptz, last_at timestamptz
)
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT v.retention_class, v.actor_id, v.actor_name, v.actor_email, v.on_behalf_of, v.events, v.first_at, v.last_at
    FROM {schema}.volume_actors(since, until) AS v;
END;

CREATE FUNCTION {schema}.target_totals(since timestamptz, until timestamptz) RETURNS TABLE (
    retention_class text, target_type text, target_id text, target_name text, events bigint, failures bigint,
    first_at timestamptz, last_at timestamptz
)
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT v.retention_class, v.target_type, v.target_id, v.target_name, v.events,
           CASE WHEN v.outcome = 'failure' THEN v.events ELSE 0 END, v.first_at, v.last_at
    FROM {schema}.volume_targets(since, until) AS v;
END;

-- All objects, where the operator's has those that can be among the first: a tenant has fewer.
CREATE FUNCTION {schema}.busiest_targets(since timestamptz, until timestamptz, wanted int) RETURNS TABLE (
    retention_class text, target_type text, target_id text, target_name text, events bigint, failures bigint,
    first_at timestamptz, last_at timestamptz
)
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT t.retention_class, t.target_type, t.target_id, t.target_name, t.events, t.failures, t.first_at, t.last_at
    FROM {schema}.target_totals(since, until) AS t
    WHERE t.retention_class <> 'log';
END;

CREATE FUNCTION {schema}.address_totals(since timestamptz, until timestamptz) RETURNS TABLE (
    retention_class text, client_ip inet, country text, events bigint, failures bigint, first_at timestamptz,
    last_at timestamptz
)
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT v.retention_class, v.client_ip, v.country, v.events, CASE WHEN v.outcome = 'failure' THEN v.events ELSE 0 END,
           v.first_at, v.last_at
    FROM {schema}.volume_actors(since, until) AS v
    WHERE v.client_ip IS NOT NULL;
END;

CREATE FUNCTION {schema}.place_totals(since timestamptz, until timestamptz) RETURNS TABLE (
    retention_class text, country text, city text, latitude float8, longitude float8, action text, events bigint,
    failures bigint, first_at timestamptz, last_at timestamptz
)
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT v.retention_class, v.country, v.city, v.latitude, v.longitude, v.action, v.events,
           CASE WHEN v.outcome = 'failure' THEN v.events ELSE 0 END, v.first_at, v.last_at
    FROM {schema}.volume_actors(since, until) AS v;
END;

-- Whatever else the reader sees is the operator's business: here it has the same columns and no rows.
DO $$
DECLARE
    absent record;
BEGIN
    FOR absent IN
        SELECT relname, string_agg(format('NULL::%s AS %I', format_type(atttypid, atttypmod), attname), ', ' ORDER BY attnum)
                   AS columns
        FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid
        WHERE relnamespace = 'audit'::regnamespace AND relkind = 'v' AND attnum > 0 AND NOT attisdropped
            AND has_table_privilege('auditgraf_reader', pg_class.oid, 'SELECT')
            AND to_regclass(format('%I.%I', {schema_name}, relname)) IS NULL
        GROUP BY relname
    LOOP
        EXECUTE format('CREATE VIEW {schema}.%I WITH (security_barrier) AS SELECT %s WHERE false',
                       absent.relname, absent.columns);
    END LOOP;
END
$$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA {schema} FROM PUBLIC;
GRANT USAGE ON SCHEMA {schema} TO {role};
GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {role};
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA {schema} TO {role};
