-- What `auditgraf migrate` asks about tenants.

-- name: is_kept
-- Whether this database knows tenants at all: not before migration 0008.
SELECT to_regclass('audit.tenants') IS NOT NULL;

-- name: tenants
SELECT name, matches FROM audit.tenants ORDER BY name;

-- name: keep
INSERT INTO audit.tenants (name, matches) VALUES (%s, %s)
ON CONFLICT (name) DO UPDATE SET matches = excluded.matches WHERE tenants.matches <> excluded.matches;

-- name: forget
DELETE FROM audit.tenants WHERE name = %s;

-- name: schema_state
-- Whose the schema of that name is, NULL where there is none; what it was made from.
SELECT (SELECT pg_get_userbyid(nspowner)::text FROM pg_namespace WHERE nspname = %(schema)s),
       (SELECT made_from FROM audit.tenants WHERE name = %(name)s);

-- name: made
UPDATE audit.tenants SET made_from = %s WHERE name = %s;

-- name: role_is_there
SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = %s);
