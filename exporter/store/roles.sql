-- The three roles, the schema and who may do what. Run by `auditgraf migrate` before the migrations, every time, as
-- the user of AUDITGRAF_DATABASE_URL; changes nothing where all is in place.
-- Roles belong to the whole cluster: two databases may be migrated at once, hence the tolerance for 'exists already'.

DO $$
DECLARE
    role_name text;
BEGIN
    FOREACH role_name IN ARRAY ARRAY['auditgraf_owner', 'auditgraf_writer', 'auditgraf_reader'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role_name) THEN
            BEGIN
                -- Without a password a login works only where pg_hba.conf trusts the client anyway.
                EXECUTE format('CREATE ROLE %I %s', role_name,
                               CASE role_name WHEN 'auditgraf_owner' THEN 'NOLOGIN' ELSE 'LOGIN' END);
            EXCEPTION WHEN duplicate_object OR unique_violation THEN
                NULL;
            END;
        END IF;
        -- From PostgreSQL 16 on, who creates a role administers it, but may not yet act as it.
        IF NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) AND role_name <> current_user THEN
            EXECUTE format('GRANT %I TO CURRENT_USER', role_name);
        END IF;
    END LOOP;
    IF NOT has_database_privilege('auditgraf_owner', current_database(), 'CREATE') THEN
        EXECUTE format('GRANT CREATE ON DATABASE %I TO auditgraf_owner', current_database());
    END IF;
    -- The writer's fallback for duplicates goes through a temporary table.
    EXECUTE format('GRANT CONNECT, TEMPORARY ON DATABASE %I TO auditgraf_writer', current_database());
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO auditgraf_reader', current_database());
    IF to_regnamespace('audit') IS NULL THEN
        CREATE SCHEMA audit AUTHORIZATION auditgraf_owner;
    END IF;
END
$$;

-- Grafana's viewers may send any SQL: the role is the border, so it reads views only, and gives up in time.
-- A setting that is there is left alone: roles are shared by the cluster's databases, and so is the row that changes.
DO $$
DECLARE
    wanted record;
BEGIN
    FOR wanted IN
        SELECT * FROM (VALUES
            ('auditgraf_reader', 'default_transaction_read_only', 'on'),
            ('auditgraf_reader', 'statement_timeout', '30s'),
            ('auditgraf_reader', 'idle_in_transaction_session_timeout', '60s'),
            ('auditgraf_reader', 'search_path', 'audit'),
            -- A chart over months groups a hundred thousand actors in memory; to compile its plan takes longer than to run it.
            ('auditgraf_reader', 'work_mem', '64MB'),
            -- The planner expects far more groups than there are, and would sort a million rows on disk: 5 s in place of 1.6 s.
            ('auditgraf_reader', 'hash_mem_multiplier', '4'),
            ('auditgraf_reader', 'jit', 'off'),
            -- Summaries of days lie sorted: what looks random to the planner is a page after the other. 1.2 s in place of 2.9 s.
            ('auditgraf_reader', 'random_page_cost', '1.1'),
            ('auditgraf_writer', 'search_path', 'audit'),
            ('auditgraf_writer', 'lock_timeout', '8s')
        ) AS settings (role_name, setting, value)
    LOOP
        IF NOT EXISTS (
            SELECT FROM pg_roles
            WHERE rolname = wanted.role_name AND wanted.setting || '=' || wanted.value = ANY (rolconfig)
        ) THEN
            EXECUTE format('ALTER ROLE %I SET %I = %L', wanted.role_name, wanted.setting, wanted.value);
        END IF;
    END LOOP;
END
$$;

SET ROLE auditgraf_owner;
GRANT USAGE ON SCHEMA audit TO auditgraf_writer, auditgraf_reader;
RESET ROLE;
