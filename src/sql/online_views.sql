-- Views of online runs.  As in views.sql, a plain user sees the runs of the
-- roles it belongs to.  Who works on a run is told by an advisory lock of our own
-- kind (20773) on its number; what a command that builds or reads a table has
-- done so far, by the server's own views.

CREATE VIEW migrate.run_progress WITH (security_barrier) AS
WITH held AS MATERIALIZED (
	SELECT (k.classid::bigint OPERATOR(pg_catalog.<<) 32) OPERATOR(pg_catalog.|) k.objid::bigint AS id,
		k.pid
	FROM pg_catalog.pg_locks k
	WHERE k.locktype OPERATOR(pg_catalog.=) 'advisory'
		AND k.objsubid OPERATOR(pg_catalog.=) 20773
		AND k.database OPERATOR(pg_catalog.=) (SELECT d.oid FROM pg_catalog.pg_database d
			WHERE d.datname OPERATOR(pg_catalog.=) pg_catalog.current_database())
		AND k.granted
), shown AS (
	SELECT o.run_id AS id,
		o.migration,
		h.pid,
		CASE WHEN o.state OPERATOR(pg_catalog.=) 'running' AND h.pid IS NULL
				AND NOT pg_catalog.pg_is_in_recovery()
			THEN 'stalled' ELSE o.state END AS state,
		CASE WHEN o.undo IS NOT NULL THEN 'undoing' ELSE 'applying' END AS phase,
		COALESCE(NULLIF(o.reason, ''), p.reason,
			CASE WHEN b.run_id IS NOT NULL AND b.state OPERATOR(pg_catalog.<>) 'done'
				THEN pg_catalog.format('waits for run %s of migration "%s", which is %s',
					b.run_id, b.migration, b.state)
				WHEN o.state OPERATOR(pg_catalog.=) 'queued' AND h.pid IS NULL
				THEN 'waits for a worker' END, '') AS reason,
		o.why,
		COALESCE(s.statement, o.statement) AS statement,
		o.statements,
		s.number AS step,
		n.steps,
		s.kind,
		s.sql,
		s.relation,
		s.lock,
		s.hold,
		s.tries,
		COALESCE(p.percent,
			CASE WHEN i.blocks_total OPERATOR(pg_catalog.>) 0 THEN
				pg_catalog.round(100::numeric OPERATOR(pg_catalog.*) i.blocks_done::numeric
					OPERATOR(pg_catalog./) i.blocks_total::numeric, 1)::double precision END) AS percent,
		COALESCE(p.phase, i.phase) AS activity,
		s.job_id,
		r.started_at,
		pg_catalog.date_part('epoch', pg_catalog.clock_timestamp() OPERATOR(pg_catalog.-) r.started_at) AS seconds,
		n.lock_wait_ms
	FROM migrate.online_run o
		JOIN migrate.run r ON r.id OPERATOR(pg_catalog.=) o.run_id
		LEFT JOIN migrate.online_run b ON b.run_id OPERATOR(pg_catalog.=) o.after_run
		LEFT JOIN held h ON h.id OPERATOR(pg_catalog.=) o.run_id
		LEFT JOIN LATERAL (SELECT t.* FROM migrate.run_step t
			WHERE t.run_id OPERATOR(pg_catalog.=) o.run_id
				AND t.state OPERATOR(pg_catalog.=) ANY (ARRAY['pending', 'running', 'failed'])
			ORDER BY t.number LIMIT 1) s ON true
		LEFT JOIN LATERAL (SELECT pg_catalog.count(*) AS steps,
				COALESCE(pg_catalog.sum(t.lock_wait_ms), 0) AS lock_wait_ms
			FROM migrate.run_step t WHERE t.run_id OPERATOR(pg_catalog.=) o.run_id) n ON true
		LEFT JOIN migrate.progress p ON p.id OPERATOR(pg_catalog.=) s.job_id
		LEFT JOIN pg_catalog.pg_stat_progress_create_index i ON i.pid OPERATOR(pg_catalog.=) h.pid
	WHERE o.state OPERATOR(pg_catalog.<>) ALL (ARRAY['done', 'cancelled'])
		AND (pg_catalog.has_table_privilege('migrate.run', 'SELECT')
			OR pg_catalog.pg_has_role('pg_monitor', 'USAGE')
			OR EXISTS (SELECT 1 FROM pg_catalog.pg_roles o2
				WHERE o2.rolname OPERATOR(pg_catalog.=) o.run_as
					AND pg_catalog.pg_has_role(o2.oid, 'USAGE')))
)
SELECT s.*,
	pg_catalog.concat_ws(', ',
		pg_catalog.format('"%s" is %s', s.migration, s.state),
		CASE WHEN s.statement OPERATOR(pg_catalog.>) 0
			THEN pg_catalog.format('statement %s of %s', s.statement, s.statements) END,
		CASE WHEN s.step IS NOT NULL THEN pg_catalog.format('step %s: %s', s.step, s.kind) END,
		CASE WHEN s.relation IS NOT NULL THEN pg_catalog.format('on %s', s.relation) END,
		CASE WHEN s.percent IS NOT NULL THEN pg_catalog.format('%s%%', s.percent) END,
		NULLIF(pg_catalog.split_part(s.reason, E'\n', 1), '')) AS line
FROM shown s;
COMMENT ON VIEW migrate.run_progress IS 'online runs that have not ended: where they are, and what they wait for';
COMMENT ON COLUMN migrate.run_progress.id IS 'number of the run';
COMMENT ON COLUMN migrate.run_progress.migration IS 'name of the migration';
COMMENT ON COLUMN migrate.run_progress.pid IS 'process ID of its worker, or NULL';
COMMENT ON COLUMN migrate.run_progress.state IS 'queued, running, paused, suspended, failed, or stalled: running without a worker';
COMMENT ON COLUMN migrate.run_progress.phase IS 'applying or undoing';
COMMENT ON COLUMN migrate.run_progress.reason IS 'why it is in that state or what it waits for, in words';
COMMENT ON COLUMN migrate.run_progress.why IS 'why it runs online';
COMMENT ON COLUMN migrate.run_progress.statement IS 'statement of the script that it is in';
COMMENT ON COLUMN migrate.run_progress.statements IS 'number of statements';
COMMENT ON COLUMN migrate.run_progress.step IS 'step that it is in';
COMMENT ON COLUMN migrate.run_progress.steps IS 'number of steps that are written so far';
COMMENT ON COLUMN migrate.run_progress.kind IS 'kind of that step''s command, or BACKFILL';
COMMENT ON COLUMN migrate.run_progress.sql IS 'its command';
COMMENT ON COLUMN migrate.run_progress.relation IS 'relation that it locks most';
COMMENT ON COLUMN migrate.run_progress.lock IS 'its lock there';
COMMENT ON COLUMN migrate.run_progress.hold IS 'what the lock is held for';
COMMENT ON COLUMN migrate.run_progress.tries IS 'number of its tries so far';
COMMENT ON COLUMN migrate.run_progress.percent IS 'how much of the step is done, where that is known';
COMMENT ON COLUMN migrate.run_progress.activity IS 'what the step does at the moment, where that is known';
COMMENT ON COLUMN migrate.run_progress.job_id IS 'its backfill, or NULL';
COMMENT ON COLUMN migrate.run_progress.started_at IS 'when it was asked for';
COMMENT ON COLUMN migrate.run_progress.seconds IS 'time since then';
COMMENT ON COLUMN migrate.run_progress.lock_wait_ms IS 'time lost to tries that did not get a lock';
COMMENT ON COLUMN migrate.run_progress.line IS 'all of it in a line';

CREATE VIEW migrate.history_step WITH (security_barrier) AS
SELECT s.run_id,
	h.migration,
	s.number,
	s.statement,
	s.line,
	s.kind,
	s.relation,
	s.lock,
	s.hold,
	s.state,
	s.tries,
	s.lock_wait_ms,
	s.started_at,
	s.finished_at,
	pg_catalog.date_part('epoch', s.finished_at OPERATOR(pg_catalog.-) s.started_at)
		OPERATOR(pg_catalog.*) 1000::double precision AS duration_ms,
	s.rows,
	s.wal_bytes,
	s.job_id,
	s.sqlstate,
	s.error,
	s.position,
	s.why,
	s.sql,
	s.undo,
	s.bytes
FROM migrate.history h
	JOIN migrate.run_step s ON s.run_id OPERATOR(pg_catalog.=) h.id;
COMMENT ON VIEW migrate.history_step IS 'the steps of online runs';

GRANT SELECT ON migrate.run_progress, migrate.history_step TO PUBLIC;
