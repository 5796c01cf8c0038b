-- Tenants: whose events are offered to a role of its own. What such a role sees is made after all migrations, and taken
-- away before any: exporter/store/tenants. Runs as auditgraf_owner inside one transaction.

CREATE TABLE audit.tenants (
    name text PRIMARY KEY CHECK (name ~ '^[a-z][a-z0-9_]{0,20}$'),
    matches text[] NOT NULL CHECK (cardinality(matches) > 0 AND array_position(matches, NULL) IS NULL),
    made_from text,                        -- SHA-256 of the statements that made its schema; NULL: to be made anew
    created_at timestamptz NOT NULL DEFAULT now()
);

-- As in 0003, but a tenant that has a role of its own keeps its name: its counts are exact whatever senders do. They are
-- few, since an administrator names them.
CREATE OR REPLACE FUNCTION audit.other_kind_ids(wanted jsonb, full_up boolean) RETURNS int[]
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    others jsonb;
    found_ids int[];
BEGIN
    SELECT jsonb_agg(CASE WHEN known.id IS NULL
               THEN jsonb_build_array(new.retention_class, CASE WHEN full_up THEN '(other)' ELSE new.service END, '(other)',
                                      CASE WHEN EXISTS (SELECT FROM audit.tenants AS t WHERE new.tenant = ANY (t.matches))
                                           THEN new.tenant ELSE '(other)' END,
                                      '(other)', new.outcome, 0, NULL)
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
