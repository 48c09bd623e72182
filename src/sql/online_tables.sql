-- Tables of online runs.  A run stands in migrate.run like every other; what it
-- needs while it goes on stands here.  Its steps are written one statement of
-- the script at a time, when all that comes before is done.

CREATE TABLE migrate.online_run (
	run_id bigint PRIMARY KEY REFERENCES migrate.run ON DELETE CASCADE,
	migration text COLLATE pg_catalog."C" NOT NULL,
	state text NOT NULL CHECK (state IN ('queued', 'running', 'paused', 'suspended',
		'done', 'failed', 'cancelled')),
	reason text NOT NULL DEFAULT '',
	why text NOT NULL,
	undo text CHECK (undo IN ('statement', 'all')),
	after_run bigint,
	settings text[] NOT NULL,
	statement integer NOT NULL DEFAULT 0,
	statements integer NOT NULL,
	"window" text,
	not_before timestamptz,
	starts integer NOT NULL DEFAULT 0,
	submitted_in bigint NOT NULL,
	database oid NOT NULL,
	run_as text NOT NULL,
	run_as_oid oid NOT NULL,
	updated_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp()
) WITH (fillfactor = 50);
CREATE UNIQUE INDEX online_run_open_idx ON migrate.online_run (migration)
	WHERE state NOT IN ('done', 'cancelled');
COMMENT ON TABLE migrate.online_run IS 'online runs, as they stand';
COMMENT ON COLUMN migrate.online_run.run_id IS 'number of the run';
COMMENT ON COLUMN migrate.online_run.migration IS 'name of the migration';
COMMENT ON COLUMN migrate.online_run.state IS 'queued, running, paused, suspended, failed, done or cancelled';
COMMENT ON COLUMN migrate.online_run.reason IS 'why it is in that state or what it waits for, in words';
COMMENT ON COLUMN migrate.online_run.why IS 'why it runs online';
COMMENT ON COLUMN migrate.online_run.undo IS 'what is being undone: the unfinished statement, all, or NULL';
COMMENT ON COLUMN migrate.online_run.after_run IS 'run that has to be done before it begins, or NULL';
COMMENT ON COLUMN migrate.online_run.settings IS 'settings of the session that asked for it that say what the script means: names and values in turn';
COMMENT ON COLUMN migrate.online_run.statement IS 'last statement of the script whose steps are written';
COMMENT ON COLUMN migrate.online_run.statements IS 'number of statements';
COMMENT ON COLUMN migrate.online_run."window" IS 'hours in which it may run';
COMMENT ON COLUMN migrate.online_run.not_before IS 'when it may start';
COMMENT ON COLUMN migrate.online_run.starts IS 'starts of its worker since it last got on';
COMMENT ON COLUMN migrate.online_run.submitted_in IS 'system identifier of the cluster in which it runs';
COMMENT ON COLUMN migrate.online_run.database IS 'OID of the database in which it runs';
COMMENT ON COLUMN migrate.online_run.run_as IS 'role that its worker connects as';
COMMENT ON COLUMN migrate.online_run.run_as_oid IS 'OID of that role';
COMMENT ON COLUMN migrate.online_run.updated_at IS 'when this row was last written';

CREATE TABLE migrate.run_step (
	run_id bigint NOT NULL REFERENCES migrate.run ON DELETE CASCADE,
	number integer NOT NULL,
	statement integer NOT NULL,
	line integer NOT NULL,
	kind text NOT NULL,
	sql text NOT NULL,
	why text,
	undo text,
	relation text,
	lock text,
	hold text,
	state text NOT NULL CHECK (state IN ('pending', 'running', 'done', 'failed', 'undone')),
	object oid NOT NULL DEFAULT 0,
	job_id bigint,
	tries integer NOT NULL DEFAULT 0,
	lock_wait_ms double precision NOT NULL DEFAULT 0,
	started_at timestamptz,
	finished_at timestamptz,
	rows bigint NOT NULL DEFAULT 0,
	wal_bytes bigint NOT NULL DEFAULT 0,
	sqlstate text,
	error text,
	position integer,
	bytes bigint NOT NULL DEFAULT 0,
	PRIMARY KEY (run_id, number)
) WITH (fillfactor = 50);
COMMENT ON TABLE migrate.run_step IS 'steps of online runs';
COMMENT ON COLUMN migrate.run_step.run_id IS 'run it belongs to';
COMMENT ON COLUMN migrate.run_step.number IS 'its number, in order';
COMMENT ON COLUMN migrate.run_step.statement IS 'statement of the script that it comes from';
COMMENT ON COLUMN migrate.run_step.line IS 'line of the script on which that begins';
COMMENT ON COLUMN migrate.run_step.kind IS 'kind of command, or BACKFILL';
COMMENT ON COLUMN migrate.run_step.sql IS 'the command';
COMMENT ON COLUMN migrate.run_step.why IS 'what it is for, NULL if it is the statement itself';
COMMENT ON COLUMN migrate.run_step.undo IS 'command that undoes it, empty if nothing has to be, NULL if that cannot be';
COMMENT ON COLUMN migrate.run_step.relation IS 'relation that it locks most';
COMMENT ON COLUMN migrate.run_step.lock IS 'its lock there';
COMMENT ON COLUMN migrate.run_step.hold IS 'what the lock is held for';
COMMENT ON COLUMN migrate.run_step.state IS 'pending, running, done, failed or undone';
COMMENT ON COLUMN migrate.run_step.object IS 'OID of the object of that name before it began';
COMMENT ON COLUMN migrate.run_step.job_id IS 'its backfill, or NULL';
COMMENT ON COLUMN migrate.run_step.tries IS 'number of tries, those for want of a lock included';
COMMENT ON COLUMN migrate.run_step.lock_wait_ms IS 'time lost to tries that did not get a lock';
COMMENT ON COLUMN migrate.run_step.started_at IS 'when its first try began';
COMMENT ON COLUMN migrate.run_step.finished_at IS 'when it was done';
COMMENT ON COLUMN migrate.run_step.rows IS 'rows that it processed';
COMMENT ON COLUMN migrate.run_step.wal_bytes IS 'WAL that it wrote, in bytes';
COMMENT ON COLUMN migrate.run_step.sqlstate IS 'SQLSTATE of the error that stopped it';
COMMENT ON COLUMN migrate.run_step.error IS 'message of that error';
COMMENT ON COLUMN migrate.run_step.position IS 'character of the command that the error is about, or NULL';
COMMENT ON COLUMN migrate.run_step.bytes IS 'size of what it reads or writes, as it was before, 0 where that is no matter of size';

CREATE TRIGGER guard BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON migrate.online_run
	FOR EACH STATEMENT EXECUTE FUNCTION migrate.guard();
CREATE TRIGGER guard BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON migrate.run_step
	FOR EACH STATEMENT EXECUTE FUNCTION migrate.guard();
ALTER TABLE migrate.online_run ENABLE ALWAYS TRIGGER guard;
ALTER TABLE migrate.run_step ENABLE ALWAYS TRIGGER guard;

SELECT pg_catalog.pg_extension_config_dump('migrate.online_run', '');
SELECT pg_catalog.pg_extension_config_dump('migrate.run_step', '');
