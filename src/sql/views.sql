-- Views.  A plain user sees the runs of the roles it belongs to, as in core's
-- own views; who may read the tables, or belongs to pg_monitor, sees all.

CREATE VIEW migrate.history WITH (security_barrier) AS
SELECT r.id,
	r.migration,
	r.action,
	r.outcome,
	r.session_username,
	r.current_username,
	r.application_name,
	r.client_addr,
	r.pid,
	r.started_at,
	r.finished_at,
	pg_catalog.date_part('epoch', r.finished_at OPERATOR(pg_catalog.-) r.started_at)
		OPERATOR(pg_catalog.*) 1000::double precision AS duration_ms,
	r.lock_wait_ms,
	r.rows,
	r.wal_bytes,
	r.tries,
	r.checksum,
	r.note,
	r.sqlstate,
	r.error
FROM migrate.run r
WHERE pg_catalog.has_table_privilege('migrate.run', 'SELECT')
	OR pg_catalog.pg_has_role('pg_monitor', 'USAGE')
	OR EXISTS (SELECT 1 FROM pg_catalog.pg_roles o
		WHERE o.rolname OPERATOR(pg_catalog.=) r.current_username
			AND pg_catalog.pg_has_role(o.oid, 'USAGE'));
COMMENT ON VIEW migrate.history IS 'every run, oldest first by id: what, who, when, how long, at what cost';

CREATE VIEW migrate.history_statement WITH (security_barrier) AS
SELECT s.run_id,
	h.migration,
	h.action,
	s.part,
	s.number,
	s.line,
	s.command,
	s.duration_ms,
	s.rows,
	s.wal_bytes,
	s.sql
FROM migrate.history h
	JOIN migrate.run_statement s ON s.run_id OPERATOR(pg_catalog.=) h.id;
COMMENT ON VIEW migrate.history_statement IS 'the statements of every run';

GRANT SELECT ON migrate.history, migrate.history_statement TO PUBLIC;
