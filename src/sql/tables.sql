-- Tables.  They are written by the extension's C code alone, as the owner of
-- the extension; nobody else gets more than SELECT.

-- Room on the pages for the new versions that every change of state makes.
CREATE TABLE migrate.migration (
	name text COLLATE pg_catalog."C" PRIMARY KEY,
	kind text NOT NULL CHECK (kind IN ('versioned', 'repeatable', 'seed')),
	state text NOT NULL CHECK (state IN ('pending', 'applied', 'rolled_back')),
	script text NOT NULL,
	checksum text NOT NULL,
	conforming_strings boolean NOT NULL,
	transactional boolean NOT NULL,
	requires text[] NOT NULL,
	conflicts text[] NOT NULL,
	description text,
	source text,
	registered_by text NOT NULL,
	registered_by_oid oid NOT NULL,
	registered_in bigint NOT NULL,
	registered_at timestamptz NOT NULL,
	applied_run bigint
) WITH (fillfactor = 50);
COMMENT ON TABLE migrate.migration IS 'registered migrations, as they are now';
COMMENT ON COLUMN migrate.migration.name IS 'name of the migration, which also gives its place in the order';
COMMENT ON COLUMN migrate.migration.kind IS 'versioned (runs once), repeatable or seed (run again when the script changes)';
COMMENT ON COLUMN migrate.migration.state IS 'pending, applied or rolled_back';
COMMENT ON COLUMN migrate.migration.script IS 'the script, as registered';
COMMENT ON COLUMN migrate.migration.checksum IS 'SHA-256 of the registered bytes, as sha256sum prints it';
COMMENT ON COLUMN migrate.migration.conforming_strings IS 'standard_conforming_strings of the session that registered the script';
COMMENT ON COLUMN migrate.migration.transactional IS 'whether the up part can run inside a transaction';
COMMENT ON COLUMN migrate.migration.requires IS 'migrations that must be applied before this one';
COMMENT ON COLUMN migrate.migration.conflicts IS 'migrations that must not be applied together with this one';
COMMENT ON COLUMN migrate.migration.description IS 'what the migration is for';
COMMENT ON COLUMN migrate.migration.source IS 'where the script came from';
COMMENT ON COLUMN migrate.migration.registered_by IS 'role that registered the script, and whose code it is';
COMMENT ON COLUMN migrate.migration.registered_by_oid IS 'OID of that role';
COMMENT ON COLUMN migrate.migration.registered_in IS 'system identifier of the cluster in which it was registered';
COMMENT ON COLUMN migrate.migration.registered_at IS 'when the script was registered or replaced';
COMMENT ON COLUMN migrate.migration.applied_run IS 'run that brought it into the applied state, or NULL';

CREATE TABLE migrate.run (
	id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	migration text COLLATE pg_catalog."C",
	action text NOT NULL CHECK (action IN ('apply', 'rollback', 'resolve', 'baseline', 'compensate')),
	outcome text NOT NULL CHECK (outcome IN ('open', 'succeeded', 'failed', 'cancelled')),
	session_username text NOT NULL,
	current_username text NOT NULL,
	application_name text NOT NULL,
	client_addr inet,
	pid integer NOT NULL,
	started_at timestamptz NOT NULL,
	finished_at timestamptz,
	lock_wait_ms double precision NOT NULL,
	rows bigint NOT NULL,
	wal_bytes bigint NOT NULL,
	tries integer NOT NULL,
	checksum text,
	note text,
	sqlstate text,
	error text
);
CREATE INDEX run_migration_idx ON migrate.run (migration, id);
COMMENT ON TABLE migrate.run IS 'every run: an attempt to apply, roll back or put right';
COMMENT ON COLUMN migrate.run.id IS 'number of the run, in order';
COMMENT ON COLUMN migrate.run.migration IS 'name of the migration, NULL for a compensation';
COMMENT ON COLUMN migrate.run.action IS 'apply, rollback, resolve, baseline or compensate';
COMMENT ON COLUMN migrate.run.outcome IS 'open, succeeded, failed or cancelled';
COMMENT ON COLUMN migrate.run.session_username IS 'session user';
COMMENT ON COLUMN migrate.run.current_username IS 'role the statements ran as';
COMMENT ON COLUMN migrate.run.application_name IS 'application_name of the session';
COMMENT ON COLUMN migrate.run.client_addr IS 'address of the client, NULL for a Unix-domain socket';
COMMENT ON COLUMN migrate.run.pid IS 'process ID of the server process';
COMMENT ON COLUMN migrate.run.started_at IS 'when the try that succeeded began';
COMMENT ON COLUMN migrate.run.finished_at IS 'when it ended, NULL while it is open';
COMMENT ON COLUMN migrate.run.lock_wait_ms IS 'time lost to locks: waits, and tries that were given up';
COMMENT ON COLUMN migrate.run.rows IS 'rows that its statements processed';
COMMENT ON COLUMN migrate.run.wal_bytes IS 'WAL that its statements wrote, in bytes';
COMMENT ON COLUMN migrate.run.tries IS 'number of tries it took to get all locks';
COMMENT ON COLUMN migrate.run.checksum IS 'SHA-256 of the script that ran';
COMMENT ON COLUMN migrate.run.note IS 'reason given for a compensation, a resolve or a baseline';
COMMENT ON COLUMN migrate.run.sqlstate IS 'SQLSTATE of the error of a failed run';
COMMENT ON COLUMN migrate.run.error IS 'message of the error of a failed run';

-- No foreign key to migrate.run: both are written by one C function in one
-- transaction and never updated, and a hundred checks a migration are felt.
CREATE TABLE migrate.run_statement (
	run_id bigint NOT NULL,
	part text NOT NULL,
	number integer NOT NULL,
	line integer NOT NULL,
	command text NOT NULL,
	duration_ms double precision NOT NULL,
	rows bigint NOT NULL,
	wal_bytes bigint NOT NULL,
	sql text NOT NULL,
	PRIMARY KEY (run_id, part, number)
);
COMMENT ON TABLE migrate.run_statement IS 'the statements of every run';
COMMENT ON COLUMN migrate.run_statement.run_id IS 'run it belongs to';
COMMENT ON COLUMN migrate.run_statement.part IS 'part of the script: check, up, down or verify';
COMMENT ON COLUMN migrate.run_statement.number IS 'number of the statement in its part';
COMMENT ON COLUMN migrate.run_statement.line IS 'line of the script on which it begins';
COMMENT ON COLUMN migrate.run_statement.command IS 'kind of command';
COMMENT ON COLUMN migrate.run_statement.duration_ms IS 'time it took, in milliseconds';
COMMENT ON COLUMN migrate.run_statement.rows IS 'rows it processed';
COMMENT ON COLUMN migrate.run_statement.wal_bytes IS 'WAL it wrote, in bytes';
COMMENT ON COLUMN migrate.run_statement.sql IS 'the statement';

-- What stands in these tables is run as somebody, and believed.  Privileges are
-- not enough: members of pg_write_all_data have them on every table.
CREATE FUNCTION migrate.guard()
RETURNS trigger
AS 'MODULE_PATHNAME', 'pgmigrate_guard'
LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION migrate.guard() IS 'keeps everybody but the extension from writing its tables';

CREATE TRIGGER guard BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON migrate.migration
	FOR EACH STATEMENT EXECUTE FUNCTION migrate.guard();
CREATE TRIGGER guard BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON migrate.run
	FOR EACH STATEMENT EXECUTE FUNCTION migrate.guard();
CREATE TRIGGER guard BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON migrate.run_statement
	FOR EACH STATEMENT EXECUTE FUNCTION migrate.guard();
ALTER TABLE migrate.migration ENABLE ALWAYS TRIGGER guard;
ALTER TABLE migrate.run ENABLE ALWAYS TRIGGER guard;
ALTER TABLE migrate.run_statement ENABLE ALWAYS TRIGGER guard;

-- Migrations and history survive dump and restore.
SELECT pg_catalog.pg_extension_config_dump('migrate.migration', '');
SELECT pg_catalog.pg_extension_config_dump('migrate.run', '');
SELECT pg_catalog.pg_extension_config_dump('migrate.run_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('migrate.run_statement', '');
