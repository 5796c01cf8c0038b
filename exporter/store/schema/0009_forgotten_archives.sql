-- Orders to forget a person reach archives; how the job fares, for whoever watches it.
-- Runs as auditgraf_owner inside one transaction; see exporter/store/migrate.py. Nobody but the owner may write here.

-- What the persons of orders were called: a restore has to know whom it must not bring back, without knowing the name.
CREATE TABLE audit.forget_names (
    order_id bigint NOT NULL REFERENCES audit.forget_orders,
    name_hash bytea NOT NULL,              -- HMAC-SHA-256 of a name in lower case, under forget_key
    length int,                            -- of the name in characters; NULL: it is looked for as a whole value only
    PRIMARY KEY (order_id, name_hash)
);
-- Of earlier orders no more than the id is known.
INSERT INTO audit.forget_names (order_id, name_hash) SELECT id, identity_hash FROM audit.forget_orders;

-- Archives in which an order found events of the person.
CREATE TABLE audit.forget_archives (
    order_id bigint NOT NULL REFERENCES audit.forget_orders,
    location text NOT NULL,
    manifest text NOT NULL,
    events bigint NOT NULL,
    rewritten_as text,                     -- the manifest that took its place; NULL: it still has them
    noted_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (order_id, location, manifest)
);

-- Archives in whose place there is another, until their files are removed.
CREATE TABLE audit.superseded_archives (
    location text NOT NULL,
    manifest text NOT NULL,
    PRIMARY KEY (location, manifest)
);

-- How the job fares, in one row. `overdue`: partitions whose time was over for a day and more, and that are still there.
CREATE VIEW audit.retention_state AS
SELECT
    (SELECT max(applied_at) FROM audit.migrations) AS migrated_at,
    (SELECT max(started_at) FROM audit.retention_runs) AS last_started_at,
    (SELECT max(finished_at) FROM audit.retention_runs WHERE outcome = 'done') AS last_done_at,
    newest.outcome AS last_outcome,
    newest.detail AS last_detail,
    overdue.partitions AS overdue,
    overdue.since AS overdue_since,
    (SELECT count(*) FROM audit.retiring JOIN pg_class ON pg_class.oid = relation
     WHERE NOT EXISTS (SELECT FROM pg_inherits WHERE inhrelid = relation AND NOT inhdetachpending)) AS retiring,
    (SELECT count(*) FROM audit.holds WHERE released_at IS NULL) AS holds,
    (SELECT min(created_at) FROM audit.holds WHERE released_at IS NULL) AS oldest_hold_at,
    (SELECT count(*) FROM audit.holds WHERE released_at IS NULL AND conditions IS NULL) AS holds_of_everything,
    (SELECT count(*) FROM audit.superseded_archives) AS superseded_archives
FROM (SELECT count(*) AS partitions, min(range_end + keep) AS since
      FROM audit.partitions WHERE range_end + keep < clock_timestamp() - interval '1 day') AS overdue
LEFT JOIN LATERAL (SELECT outcome, detail FROM audit.retention_runs
                   WHERE outcome <> 'running' ORDER BY id DESC LIMIT 1) AS newest ON true;

-- What failed in the newest run that has ended.
CREATE VIEW audit.retention_failures AS
SELECT finished_at, retention_class, partition, detail FROM audit.retention_steps
WHERE action = 'failed'
  AND run_id = (SELECT max(id) FROM audit.retention_runs WHERE outcome <> 'running');

GRANT SELECT ON audit.retention_state, audit.retention_failures TO auditgraf_reader;
