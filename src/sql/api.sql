-- Functions.  All of them are C, run as the caller, and check their arguments
-- themselves, so that a NULL gets an error instead of silence.

CREATE FUNCTION migrate.register(name text, script text,
	description text DEFAULT NULL, source text DEFAULT NULL)
RETURNS text
AS 'MODULE_PATHNAME', 'pgmigrate_register_text'
LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION migrate.register(text, text, text, text) IS
'register a migration, or replace it while it is pending';

CREATE FUNCTION migrate.register(name text, script bytea,
	description text DEFAULT NULL, source text DEFAULT NULL)
RETURNS text
AS 'MODULE_PATHNAME', 'pgmigrate_register_bytes'
LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION migrate.register(text, bytea, text, text) IS
'register a migration from the bytes of its file, which are UTF-8';

CREATE FUNCTION migrate.unregister(name text)
RETURNS text
AS 'MODULE_PATHNAME', 'pgmigrate_unregister'
LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION migrate.unregister(text) IS
'forget a migration that is not applied';

CREATE FUNCTION migrate.load(directory text, OUT name text, OUT result text)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'pgmigrate_load'
LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION migrate.load(text) IS
'register every .sql file of a directory of the server, in order';

CREATE FUNCTION migrate.apply(name text, mode text DEFAULT 'auto',
	not_before timestamptz DEFAULT NULL, "window" text DEFAULT NULL)
RETURNS text
AS 'MODULE_PATHNAME', 'pgmigrate_apply'
LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION migrate.apply(text, text, timestamptz, text) IS
'apply a migration, after those that it requires';

CREATE FUNCTION migrate.apply_all(upto text DEFAULT NULL, OUT name text, OUT result text)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'pgmigrate_apply_all'
LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION migrate.apply_all(text) IS
'apply every pending migration in order, up to and with the one named';

CREATE FUNCTION migrate.rollback(name text)
RETURNS text
AS 'MODULE_PATHNAME', 'pgmigrate_rollback'
LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION migrate.rollback(text) IS
'undo an applied migration by its down part';

CREATE FUNCTION migrate.rollback_to(name text, OUT name text, OUT result text)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'pgmigrate_rollback_to'
LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION migrate.rollback_to(text) IS
'undo, last first, all that was applied after the migration named';

CREATE FUNCTION migrate.verify(name text, OUT name text, OUT passed boolean, OUT message text)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'pgmigrate_verify_one'
LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION migrate.verify(text) IS
'run the verify part of an applied migration, read-only';

CREATE FUNCTION migrate.verify(OUT name text, OUT passed boolean, OUT message text)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'pgmigrate_verify_all'
LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION migrate.verify() IS
'run the verify parts of all applied migrations, read-only';

CREATE FUNCTION migrate.resolve(name text, outcome text, note text)
RETURNS text
AS 'MODULE_PATHNAME', 'pgmigrate_resolve'
LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION migrate.resolve(text, text, text) IS
'record a migration as applied or rolled_back without running anything';

CREATE FUNCTION migrate.baseline(upto text, OUT name text, OUT result text)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'pgmigrate_baseline'
LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION migrate.baseline(text) IS
'record all migrations up to and with the one named as applied, without running anything';

CREATE FUNCTION migrate.compensate(reason text, script text)
RETURNS bigint
AS 'MODULE_PATHNAME', 'pgmigrate_compensate'
LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION migrate.compensate(text, text) IS
'run a one-off repair of data and record it like a run, whose id is returned';

CREATE FUNCTION migrate.plan(name text, OUT statement integer, OUT line integer,
	OUT kind text, OUT relation text, OUT lock text, OUT rewrites boolean,
	OUT scans boolean, OUT bytes bigint, OUT duration interval, OUT runs text,
	OUT note text, OUT sql text)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'pgmigrate_plan'
LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION migrate.plan(text) IS
'show what applying a migration would do: statements, locks, rewrites, scans, time';

CREATE FUNCTION migrate.steps(name text, OUT statement integer, OUT step integer,
	OUT line integer, OUT kind text, OUT relation text, OUT lock text, OUT hold text,
	OUT bytes bigint, OUT duration interval, OUT why text, OUT sql text)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'pgmigrate_steps'
LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION migrate.steps(text) IS
'show a migration as steps that hold nobody up, each a command of SQL';

CREATE FUNCTION migrate.swap_column(relation regclass, column_name name, replacement name)
RETURNS void
AS 'MODULE_PATHNAME', 'pgmigrate_swap_column'
LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION migrate.swap_column(regclass, name, name) IS
'put a column in the place of another one, with its name and all that belongs to it';

CREATE FUNCTION migrate.status(OUT name text, OUT state text, OUT kind text,
	OUT applied_at timestamptz, OUT applied_by text, OUT duration_ms double precision,
	OUT waits_for text[], OUT problem text)
RETURNS SETOF record
AS 'MODULE_PATHNAME', 'pgmigrate_status'
LANGUAGE C STABLE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION migrate.status() IS
'show every migration in order: its state, what it waits for, what is wrong';

CREATE FUNCTION migrate.grant_to(role regrole, rights text)
RETURNS void
AS 'MODULE_PATHNAME', 'pgmigrate_grant_to'
LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION migrate.grant_to(regrole, text) IS
'give a role the rights of an admin, an operator or a monitor';

CREATE FUNCTION migrate.revoke_from(role regrole)
RETURNS void
AS 'MODULE_PATHNAME', 'pgmigrate_revoke_from'
LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION migrate.revoke_from(regrole) IS
'take from a role all that grant_to gave it';
