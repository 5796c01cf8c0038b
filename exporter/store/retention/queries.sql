-- What retention asks and changes, always as auditgraf_owner. Names of tables are put in as identifiers: {table}.

-- name: settings
-- Whoever waits for a lock keeps those waiting who come after it, so never for long.
SELECT set_config('role', 'auditgraf_owner', false),
       set_config('TimeZone', 'UTC', false),
       set_config('lock_timeout', '3s', false),
       set_config('statement_timeout', '0', false),
       -- Nothing of this is in a hurry: one processor is enough, the others are for those who write.
       set_config('max_parallel_workers_per_gather', '0', false),
       -- Archives are sorted by id.
       set_config('work_mem', '64MB', false),
       -- Digests are of texts in it.
       set_config('client_encoding', 'UTF8', false);

-- name: lock
-- One run at a time in a database, whichever instance has it.
LOCK TABLE audit.retention_lock IN EXCLUSIVE MODE NOWAIT;

-- name: now
SELECT clock_timestamp();

-- name: classes
SELECT class, keep FROM audit.retention_classes ORDER BY class;

-- name: set_duration
UPDATE audit.retention_classes SET keep = %(keep)s WHERE class = %(class)s AND keep IS DISTINCT FROM %(keep)s;

-- name: partitions
SELECT retention_class, keep, relation, partition, pending, range_start, range_end, events, bytes
FROM audit.partitions ORDER BY range_start, retention_class, partition;

-- name: exact_count
SELECT count(*) FROM {table};

-- name: begin_run
-- Earlier runs without an end were interrupted: the lock is ours, so they are not under way.
WITH interrupted AS (
    UPDATE audit.retention_runs SET finished_at = clock_timestamp(), outcome = 'failed', detail = 'it was interrupted'
    WHERE outcome = 'running'
)
INSERT INTO audit.retention_runs (instance, clock_believed) VALUES (%s, false) RETURNING id;

-- name: believe_clock
UPDATE audit.retention_runs SET clock_believed = true WHERE id = %s;

-- name: end_run
UPDATE audit.retention_runs SET finished_at = clock_timestamp(), outcome = %(outcome)s, detail = %(detail)s
WHERE id = %(run_id)s;

-- name: forget_old_runs
-- What runs did is kept for a year; longer than that, the audit events of it tell, as long as their class is kept.
WITH steps AS (
    DELETE FROM audit.retention_steps WHERE run_id IN (
        SELECT id FROM audit.retention_runs WHERE started_at < clock_timestamp() - interval '1 year')
)
DELETE FROM audit.retention_runs WHERE started_at < clock_timestamp() - interval '1 year';

-- name: add_step
-- What is kept is kept by every run: it is recorded once, until the reason changes, or else it would hide all the rest.
INSERT INTO audit.retention_steps (run_id, started_at, retention_class, partition, action, events, bytes, detail)
SELECT %(run_id)s, %(started_at)s, %(retention_class)s, %(partition)s, %(action)s::text, %(events)s, %(bytes)s, %(detail)s::text
WHERE %(action)s::text <> 'kept'
   OR (SELECT (action, detail) FROM audit.retention_steps WHERE partition = %(partition)s ORDER BY id DESC LIMIT 1)
      IS DISTINCT FROM ROW ('kept'::text, %(detail)s::text);

-- name: clock_anchor
-- The last moment known to be real: a run whose clock was believed, else the newest migration. One that is still to
-- come was believed wrongly, and would let the clock jump there.
SELECT coalesce((SELECT max(started_at) FROM audit.retention_runs WHERE clock_believed AND started_at <= %(now)s),
                (SELECT max(applied_at) FROM audit.migrations WHERE applied_at <= %(now)s));

-- name: partitions_between
-- Partitions that begin within a range of time, one after the other.
SELECT partition, range_end FROM audit.partitions
WHERE range_start >= %(from)s::timestamptz - interval '1 day' AND range_start <= %(to)s::timestamptz
ORDER BY range_start;

-- name: arrived_in_time
-- Whether any event of a partition arrived when it happened, and not only later.
SELECT EXISTS (SELECT FROM {table} WHERE received_at < %s::timestamptz + interval '1 day');

-- name: retiring
-- Partitions that an earlier run began to retire, and where they are now: attached (true, false) and pending.
SELECT r.relation, r.partition, r.retention_class, r.range_start, r.range_end, r.archived_events, c.keep,
       i.inhrelid IS NOT NULL AS attached, coalesce(i.inhdetachpending, false) AS pending,
       pg_class.oid IS NOT NULL AS present,
       coalesce(pg_total_relation_size(pg_class.oid), 0) AS bytes
FROM audit.retiring r
JOIN audit.retention_classes c ON c.class = r.retention_class
LEFT JOIN pg_class ON pg_class.oid = r.relation
LEFT JOIN pg_inherits i ON i.inhrelid = r.relation
ORDER BY r.begun_at;

-- name: begin_retiring
-- Before the detach, with a link that says so: what is detached without one is hidden.
SELECT audit.begin_retiring(%(relation)s::oid, %(partition)s, %(retention_class)s, %(start)s, %(end)s, %(archived)s::bigint);

-- name: end_retiring
SELECT audit.end_retiring(%s::oid);

-- name: attachment
-- No row: detached. Else whether a detach of it was begun.
SELECT inhdetachpending FROM pg_inherits WHERE inhrelid = %s;

-- name: holders
-- Transactions of others that have a lock on these tables, which a detach would wait for.
SELECT DISTINCT pid, virtualtransaction FROM pg_locks
WHERE relation = ANY (%s::oid[]) AND granted AND pid <> pg_backend_pid()
  AND database = (SELECT oid FROM pg_database WHERE datname = current_database());

-- name: detach
ALTER TABLE {parent} DETACH PARTITION {table} CONCURRENTLY;

-- name: finalize
ALTER TABLE {parent} DETACH PARTITION {table} FINALIZE;

-- name: attach
-- The check that the detach left behind spares reading the table through.
ALTER TABLE {parent} ATTACH PARTITION {table} FOR VALUES FROM ({start}) TO ({end});

-- name: partition_of_range
-- The partition that has a day's events now.
SELECT relation, partition FROM audit.partitions
WHERE retention_class = %(retention_class)s AND range_start < %(end)s AND range_end > %(start)s;

-- name: move_back
-- Into the partition that their day has now; sealed like whatever is stored.
INSERT INTO {parent} ({columns}) SELECT {columns} FROM {table} ON CONFLICT DO NOTHING;

-- name: held_elsewhere
UPDATE audit.held_events SET partition = %(to)s WHERE partition = %(relation)s;

-- name: unload_returned
-- Restored events that a partition, on its way back or there again, has too.
SELECT audit.unload_returned(%(retention_class)s, %(relation)s::oid::regclass);

-- name: summarise_anew
SELECT audit.forget_summaries(%(retention_class)s, ARRAY[(%(start)s::timestamptz AT TIME ZONE 'UTC')::date]);

-- name: drop
DROP TABLE {table};

-- name: no_new_holds
-- Until the end of the transaction: whoever creates a hold now waits until the partition is gone.
LOCK TABLE audit.holds IN SHARE MODE;

-- name: quick_count
-- How many events, exactly where that is quick, else as ANALYZE last saw it.
SELECT CASE WHEN pg_relation_size(%(relation)s::oid) > 16 * 1024 * 1024 THEN
    (SELECT CASE WHEN reltuples >= 0 AND relpages > 0
                 THEN (reltuples / relpages * (pg_relation_size(oid) / current_setting('block_size')::int))::bigint
                 ELSE pg_relation_size(oid) / 500 END
     FROM pg_class WHERE oid = %(relation)s::oid) END;

-- name: active_holds
SELECT id, created_at, created_by, reason, filter, conditions, events FROM audit.holds WHERE released_at IS NULL ORDER BY id;

-- name: all_holds
SELECT id, created_at, created_by, reason, filter, conditions, events, released_at, released_by, release_reason
FROM audit.holds ORDER BY id;

-- name: add_hold
INSERT INTO audit.holds (created_by, reason, filter, conditions) VALUES (%s, %s, %s, %s) RETURNING id;

-- name: count_hold
UPDATE audit.holds SET events = %s WHERE id = %s;

-- name: release_hold
UPDATE audit.holds SET released_at = clock_timestamp(), released_by = %(by)s, release_reason = %(reason)s
WHERE id = %(id)s AND released_at IS NULL
RETURNING reason, filter;

-- name: matching_events
-- How many events a filter finds, expired ones that are still there included.
SELECT count(*) FROM audit.events WHERE {condition};

-- name: hold_partition
-- Copies the events of a partition that a hold wants; those copied for another hold get this one's number too. In a
-- database that was restored from a dump the partition is another relation than it was when they were copied.
INSERT INTO audit.held_events AS held ({columns}, retention_class, hold_ids, partition)
SELECT {columns}, retention_class, ARRAY[%(hold_id)s::bigint], %(relation)s::oid
FROM (SELECT *, %(retention_class)s::text AS retention_class FROM {table}) AS events
WHERE {condition}
ON CONFLICT (id, occurred_at, retention_class) DO UPDATE
SET hold_ids = CASE WHEN %(hold_id)s::bigint = ANY (held.hold_ids) THEN held.hold_ids
                    ELSE array_append(held.hold_ids, %(hold_id)s::bigint) END,
    partition = CASE WHEN held.partition IS NOT NULL THEN excluded.partition END
WHERE NOT %(hold_id)s::bigint = ANY (held.hold_ids) OR held.partition <> excluded.partition;

-- name: count_in_partition
SELECT count(*) FROM (SELECT *, %(retention_class)s::text AS retention_class FROM {table}) AS events WHERE {condition};

-- name: hold_held
-- A new hold also wants what is kept for others.
UPDATE audit.held_events SET hold_ids = array_append(hold_ids, %(hold_id)s::bigint)
WHERE NOT %(hold_id)s::bigint = ANY (hold_ids) AND {condition};

-- name: no_restores
-- Until the end of the transaction nothing is restored.
LOCK TABLE audit.restored_events IN SHARE ROW EXCLUSIVE MODE;

-- name: restored_wanted
-- How many restored events of a range of time, or of all where there is none, a filter finds; as audit.events shows them.
SELECT count(*) FROM (SELECT {columns}, retention_class FROM audit.restored_events) AS events
WHERE (%(since)s::timestamptz IS NULL OR occurred_at >= %(since)s AND occurred_at < %(until)s) AND {condition};

-- name: template_columns
SELECT attname FROM pg_attribute
WHERE attrelid = 'audit.event_template'::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum;

-- name: only_held
-- From now on the copies are all there is.
UPDATE audit.held_events SET partition = NULL WHERE partition = %s;

-- name: read_in_full
-- Events of this day will be outside of their partition, where the summaries of days don't look.
INSERT INTO audit.unsummarised_days (day) VALUES ((%s::timestamptz AT TIME ZONE 'UTC')::date) ON CONFLICT DO NOTHING;

-- name: read_summaries_again
-- Days of which nothing is outside of its partition any more.
DELETE FROM audit.unsummarised_days AS u
WHERE NOT EXISTS (SELECT FROM audit.held_events
                  WHERE occurred_at >= u.day::timestamptz AND occurred_at < (u.day + 1)::timestamptz)
  AND NOT EXISTS (SELECT FROM audit.restored_events
                  WHERE occurred_at >= u.day::timestamptz AND occurred_at < (u.day + 1)::timestamptz);

-- name: held_of
SELECT count(*) FROM audit.held_events WHERE partition = %s;

-- name: let_go
-- Deletes up to so many held events that no hold wants any more; answers their class, and whether they were all there was.
SELECT retention_class, was_all FROM audit.let_go(%(limit)s);

-- name: retire_leaves
-- With the partition go the digests of its events; a link of the chain says that it went, and how.
SELECT audit.retire_leaves(%(partition)s, %(relation)s::oid, %(events)s::bigint);

-- name: drop_expired_rollups
SELECT audit.drop_expired_rollups(%s);

-- name: held_totals
SELECT count(*), pg_total_relation_size('audit.held_events') FROM audit.held_events WHERE partition IS NULL;

-- name: restored_totals
SELECT count(*), pg_total_relation_size('audit.restored_events') FROM audit.restored_events;

-- name: note
INSERT INTO audit.journal (action, outcome, actor, target_type, target_id, message, attributes)
VALUES (%(action)s, %(outcome)s, %(actor)s, %(target_type)s, %(target_id)s, %(message)s, %(attributes)s);

-- name: unannounced
SELECT id, at, action, outcome, actor, target_type, target_id, message, attributes
FROM audit.journal WHERE announced_at IS NULL ORDER BY id LIMIT %s;

-- name: announced
UPDATE audit.journal SET announced_at = clock_timestamp() WHERE id = ANY (%s::bigint[]);

-- name: forget_announced
-- What is an audit event by now is kept here no longer than a month.
DELETE FROM audit.journal WHERE announced_at < clock_timestamp() - interval '30 days';
