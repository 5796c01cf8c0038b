-- One tenant's role, with the reader's settings. Run by `auditgraf migrate` as the user of AUDITGRAF_DATABASE_URL; changes
-- nothing where all is in place. Roles belong to the whole cluster, hence the tolerance for 'exists already'.
-- In braces: role is the tenant's, role_name its name as text, schema_name the schema that it finds things in.
DO $$
DECLARE
    wanted record;
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = {role_name}) THEN
        BEGIN
            -- A limit, so that one tenant can't have all of the server's connections; Grafana opens ten at most.
            CREATE ROLE {role} LOGIN CONNECTION LIMIT 30;
        EXCEPTION WHEN duplicate_object OR unique_violation THEN
            NULL;
        END;
    END IF;
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO {role}', current_database());
    FOR wanted IN
        SELECT split_part(setting, '=', 1) AS name,
               CASE WHEN setting LIKE 'search_path=%' THEN {schema_name}
                    ELSE substr(setting, strpos(setting, '=') + 1) END AS value
        FROM pg_roles, unnest(rolconfig) AS setting
        WHERE rolname = 'auditgraf_reader'
    LOOP
        IF NOT EXISTS (
            SELECT FROM pg_roles
            WHERE rolname = {role_name} AND wanted.name || '=' || wanted.value = ANY (rolconfig)
        ) THEN
            EXECUTE format('ALTER ROLE {role} SET %I = %L', wanted.name, wanted.value);
        END IF;
    END LOOP;
END
$$;
